/*
 * A configuration file that is found in the current folder is read only if no user except this one
 * and root can have put it there. A file that is named is read in any case.
 */
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

#define STRANGER 12345
#define OURS ((uid_t)-1) /* as it is */

/* An attempt to connect to this server shows that the file was read. */
#define CONTENT "dsn: \"host=/nowhere-at-all\"\n"

struct place {
    char *folder, *file, *target;
};

static void
make_place(struct place *place, const char *name, int is_link)
{
    char *base = ts_tmpdir();

    place->folder = ts_format("%s/folder", base);
    place->file = ts_format("%s/%s", place->folder, name);
    place->target = is_link ? ts_format("%s/target", base) : ts_format("%s", place->file);
    TS_TRUE(mkdir(place->folder, 0755) == 0);
    {
        FILE *file = fopen(place->target, "w");

        TS_TRUE(file != NULL && fputs(CONTENT, file) >= 0 && fclose(file) == 0);
    }
    TS_TRUE(chmod(place->target, 0600) == 0);
    TS_TRUE(!is_link || symlink(place->target, place->file) == 0);
    free(base);
}

static void
free_place(struct place *place)
{
    free(place->folder);
    free(place->file);
    free(place->target);
}

static void
run_in(const struct place *place, const char *named, ts_result *result)
{
    const char *const env[] = { "PGQRS_DSN", "PGQRS_CONFIG_FILE", NULL };
    const char *const found_argv[] = { ts_command(), "queue", "list", NULL };
    const char *const named_argv[] = { ts_command(), "queue", "list", "--config", named, NULL };

    ts_run(&(ts_invocation){ .argv = named != NULL ? named_argv : found_argv,
                             .env = env,
                             .folder = place->folder },
           result);
}

static void
expect(const struct place *place, const char *refusal)
{
    ts_result result;

    run_in(place, NULL, &result);
    if (refusal != NULL && (result.exit_code != 78 || strstr(result.err, refusal) == NULL ||
                            strstr(result.err, "--config") == NULL))
        ts_fail("not refused because \"%s\": %d: %s", refusal, result.exit_code, result.err);
    if (refusal == NULL && result.exit_code != 69)
        ts_fail("not believed: %d: %s", result.exit_code, result.err);
    ts_result_release(&result);
    run_in(place, place->file, &result);
    if (result.exit_code != 69)
        ts_fail("not believed although it is named: %d: %s", result.exit_code, result.err);
    ts_result_release(&result);
}

static void
expect_with_modes(mode_t file_mode, mode_t folder_mode, const char *refusal)
{
    static const char *const names[] = { "pgqrs.yaml", "pgqrs.yml" };

    for (int i = 0; i < 4; i++) {
        struct place place;

        make_place(&place, names[i % 2], i / 2);
        TS_TRUE(chmod(place.target, file_mode) == 0);
        TS_TRUE(chmod(place.folder, folder_mode) == 0);
        expect(&place, refusal);
        free_place(&place);
    }
}

TEST(a_file_that_others_can_write_is_refused)
{
    (void)state;
    expect_with_modes(0600, 0700, NULL);
    expect_with_modes(0644, 0755, NULL);
    expect_with_modes(0400, 0500, NULL);
    expect_with_modes(0620, 0755, "others may write it");
    expect_with_modes(0602, 0755, "others may write it");
    expect_with_modes(0666, 0755, "others may write it");
}

TEST(a_folder_that_others_can_write_in_is_refused_unless_it_is_sticky)
{
    (void)state;
    expect_with_modes(0600, 0777, "others may write in this folder");
    expect_with_modes(0600, 0770, "others may write in this folder");
    expect_with_modes(0600, 0707, "others may write in this folder");
    expect_with_modes(0600, 01777, NULL);
}

static void
expect_with_owners(int is_link, uid_t target, uid_t entry, uid_t folder, const char *refusal)
{
    struct place place;

    make_place(&place, "pgqrs.yaml", is_link);
    TS_TRUE(chown(place.target, target, (gid_t)-1) == 0);
    TS_TRUE(lchown(place.file, entry, (gid_t)-1) == 0);
    TS_TRUE(chown(place.folder, folder, (gid_t)-1) == 0);
    expect(&place, refusal);
    free_place(&place);
}

TEST(what_belongs_to_another_user_is_refused)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can give files to others\n");
        skip();
    }
    expect_with_owners(0, OURS, OURS, OURS, NULL);
    expect_with_owners(0, OURS, STRANGER, OURS, "it belongs to another user");
    expect_with_owners(0, OURS, OURS, STRANGER, "this folder belongs to another user");
    expect_with_owners(1, OURS, OURS, OURS, NULL);
    expect_with_owners(1, STRANGER, OURS, OURS, "it belongs to another user");
    expect_with_owners(1, OURS, STRANGER, OURS, "it belongs to another user");
}

TEST_MAIN(NULL, NULL)
