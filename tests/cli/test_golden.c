/*
 * Golden files: each tests/cli/golden/NAME.test is a session at a shell, and must read the same
 * when it is run again.
 *
 *     # a comment
 *     $ pgqrs queue create mails    a command, run by bash in an empty folder that the file has
 *     created the queue "mails"     its standard output
 *     ! pgqrs: ...                  its standard error
 *     = 1                           its exit code, unless it is 0
 *
 * PGQRS_DSN names a database of the file's own with pgqrs installed; a file that begins with
 * "# empty" gets one without. What differs from run to run is replaced: <time>, <token>, <ms>,
 * SOCKET. PGQRS_TEST_UPDATE=1 writes the files anew: read the difference before you commit it.
 */
#include "support.h"

#include <dirent.h>
#include <libgen.h>

#define MAX_FILES 64

/* Text that grows. */
struct text {
    char *data;
    size_t size;
    FILE *stream;
};

static void
text_open(struct text *text)
{
    text->stream = open_memstream(&text->data, &text->size);
    assert_non_null(text->stream);
}

/* In every command: a member of an object in a file, a check that input is JSON, and paths of
 * sockets made equal. */
static const char prelude[] =
    "set -o pipefail\n"
    "field() { sed -En 's/.*\"'\"$1\"'\": \"?([^\",}]*).*/\\1/p' \"$2\"; }\n"
    "json() { python3 -c 'import json,sys; json.load(sys.stdin); print(\"is JSON\")'; }\n"
    "scrub() { sed -E 's|/[^ \"]*/\\.s\\.PGSQL\\.[0-9]+|SOCKET|'; }\n";

static char *
read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    struct text text;
    int c;

    if (file == NULL)
        ts_fail("cannot open %s", path);
    text_open(&text);
    while ((c = getc(file)) != EOF)
        putc(c, text.stream);
    fclose(file);
    fclose(text.stream);
    return text.data;
}

/* The length of a time such as 2026-01-31T01:02:03.004Z at `p`, or 0. */
static size_t
time_length(const char *p)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

    for (size_t i = 0; shape[i] != '\0'; i++)
        if (shape[i] == 'd' ? p[i] < '0' || p[i] > '9' : p[i] != shape[i])
            return 0;
    return sizeof(shape) - 1;
}

/* Writes `line` with what differs from run to run replaced. */
static void
write_normalised(FILE *out, const char *line, size_t size)
{
    static const char *const durations[] = { "\"oldest_due_age_ms\": ",
                                             "\"processing_duration_ms\": " };

    for (const char *p = line, *end = line + size; p < end;) {
        size_t digits = strspn(p, "0123456789"), length = time_length(p);

        for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
            if (p > line + strlen(durations[i]) &&
                memcmp(p - strlen(durations[i]), durations[i], strlen(durations[i])) == 0 &&
                digits > 0) {
                fputs("<ms>", out);
                p += digits;
                digits = strspn(p, "0123456789");
            }
        if (length > 0) {
            fputs("<time>", out);
            p += length;
        } else if (digits >= 15 && digits <= 19 && strncmp(p, "9223372036854775807", 19) != 0) {
            fputs("<token>", out);
            p += digits;
        } else if (digits > 0) {
            fwrite(p, 1, digits, out);
            p += digits;
        } else {
            putc(*p++, out);
        }
    }
    putc('\n', out);
}

static void
write_lines(FILE *out, const char *text, const char *prefix)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");

        fputs(prefix, out);
        if (size == 0)
            fputs(".\n", out);
        else
            write_normalised(out, text, size);
        text += size + (text[size] == '\n');
    }
}

static void
run_command(FILE *out, const char *command, const char *const *env, const char *folder)
{
    char *script = ts_format("%s%s", prelude, command);
    const char *const argv[] = { "bash", "-c", script, NULL };
    ts_result result;

    ts_run(&(ts_invocation){ .argv = argv, .name = command, .env = env, .folder = folder },
           &result);
    write_lines(out, result.out, "");
    write_lines(out, result.err, "! ");
    if (result.exit_code != 0)
        fprintf(out, "= %d\n", result.exit_code);
    ts_result_release(&result);
    free(script);
}

/* Runs the session in `golden` and returns it with what happened now; the caller frees it. */
static char *
run_session(const char *golden, const char *dsn)
{
    char *folder = ts_tmpdir(), *command_copy = ts_format("%s", ts_command());
    char *dsn_variable = ts_format("PGQRS_DSN=%s", dsn),
         *server = ts_format("SERVER=%s", ts_server());
    char *path = ts_format("PATH=%s:%s", dirname(command_copy), getenv("PATH"));
    char *source = ts_path("docs"), *docs = ts_format("DOCS=%s", source);
    const char *const env[] = { dsn_variable,
                                server,
                                path,
                                docs,
                                "LC_ALL=C.UTF-8",
                                "PGQRS_SCHEMA",
                                "PGHOST",
                                "PGPORT",
                                "PGDATABASE",
                                "PGUSER",
                                "PGSERVICE",
                                "PGHOSTADDR",
                                "DATABASE_URL",
                                "COLUMNS",
                                "PGQRS_LOG_LEVEL",
                                "PGQRS_LOG_FORMAT",
                                "NO_COLOR",
                                "PGQRS_CONFIG_FILE",
                                NULL };
    struct text session;

    text_open(&session);
    while (*golden != '\0') {
        size_t size = strcspn(golden, "\n");
        int is_command = strncmp(golden, "$ ", 2) == 0;

        if (size == 0 || *golden == '#' || is_command)
            fprintf(session.stream, "%.*s\n", (int)size, golden);
        if (is_command) {
            char *command = ts_format("%.*s", (int)size - 2, golden + 2);

            run_command(session.stream, command, env, folder);
            free(command);
        }
        golden += size + (golden[size] == '\n');
    }
    fclose(session.stream);
    free(folder);
    free(command_copy);
    free(dsn_variable);
    free(server);
    free(path);
    free(source);
    free(docs);
    return session.data;
}

/* Ends the test with the first line that differs, and the command above it. */
static void
fail_at_difference(const char *path, const char *wanted, const char *got)
{
    size_t line = 1;
    const char *command = got;

    for (;;) {
        size_t wanted_size = strcspn(wanted, "\n"), got_size = strcspn(got, "\n");

        if (strncmp(got, "$ ", 2) == 0)
            command = got;
        if (wanted_size != got_size || memcmp(wanted, got, got_size) != 0 || got[got_size] == '\0')
            ts_fail("%s:%zu: after\n  %.*s\nwanted\n  %.*s\ngot\n  %.*s", path, line,
                    (int)strcspn(command, "\n"), command, (int)wanted_size, wanted, (int)got_size,
                    got);
        wanted += wanted_size + (wanted[wanted_size] == '\n');
        got += got_size + (got[got_size] == '\n');
        line++;
    }
}

static void
a_session_reads_the_same_again(void **state)
{
    const char *path = *state;
    char *wanted = read_file(path);
    char *dsn = strncmp(wanted, "# empty", 7) == 0 ? ts_empty_database() : ts_database();
    char *got = run_session(wanted, dsn);

    if (getenv("PGQRS_TEST_UPDATE") != NULL) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        fputs(got, file);
        fclose(file);
    } else if (strcmp(wanted, got) != 0) {
        fail_at_difference(path, wanted, got);
    }
    free(got);
    free(dsn);
    free(wanted);
}

static int
is_session(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && strcmp(dot, ".test") == 0;
}

int
main(int argc, char **argv)
{
    struct CMUnitTest tests[MAX_FILES] = { { 0 } };
    char *folder = ts_path("tests/cli/golden");
    struct dirent **entries = NULL;
    int found = scandir(folder, &entries, is_session, alphasort), failed;
    size_t count = 0;

    for (int i = 0; i < found; i++) {
        if (count < MAX_FILES && (argc < 2 || strstr(entries[i]->d_name, argv[1]) != NULL)) {
            tests[count].name = ts_format("%s", entries[i]->d_name);
            tests[count].test_func = a_session_reads_the_same_again;
            tests[count].initial_state = ts_format("%s/%s", folder, entries[i]->d_name);
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    free(folder);
    if (count == 0) {
        fprintf(stderr, "there is no golden file%s%s\n", argc > 1 ? " like " : "",
                argc > 1 ? argv[1] : "");
        return 1;
    }
    failed = _cmocka_run_group_tests("golden files", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)tests[i].name);
        free(tests[i].initial_state);
    }
    return failed;
}
