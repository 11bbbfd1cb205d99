/*
 * docs/worker.md says what the headers say: each option, event and reason stands in it, with the
 * header's own words, and nothing else; and what it shows of a program stands in an example.
 */
#include "found.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_FILE = 262144 };

typedef struct member {
    char name[64];
    char comment[512];
} member;

static char *
read_file(const char *path)
{
    char *text = calloc(1, LONGEST_FILE);
    FILE *file = fopen(path, "r");

    assert_non_null(text);
    if (file == NULL)
        fail_msg("cannot open %s", path);
    assert_in_range(fread(text, 1, LONGEST_FILE - 1, file), 1, LONGEST_FILE - 2);
    fclose(file);
    return text;
}

static char *
read_project_file(const char *name)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", root != NULL ? root : ".", name);
    return read_file(path);
}

/* Copies a comment from after its opening, on one line; returns what follows its end. */
static const char *
copy_comment(const char *text, char *out, size_t room)
{
    const char *end = strstr(text, "*/");
    size_t used = 0;

    assert_non_null(end);
    for (; text < end; text++) {
        int space = isspace((unsigned char)*text);

        if (space && (used == 0 || out[used - 1] == ' '))
            continue;
        assert_true(used + 1 < room);
        out[used++] = space ? ' ' : *text;
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    return end + 2;
}

/* The members of a struct or an enum, with the comments after them; returns how many there are. */
static size_t
read_members(const char *header, const char *kind, const char *type, member *members, size_t room)
{
    char opening[128], closing[128], name[64] = "";
    const char *at, *end;
    size_t count = 0;

    snprintf(opening, sizeof(opening), "typedef %s %s {", kind, type);
    snprintf(closing, sizeof(closing), "} %s;", type);
    at = strstr(header, opening);
    if (at == NULL)
        fail_msg("found no \"%s\"", opening);
    at += strlen(opening);
    end = strstr(at, closing);
    assert_non_null(end);
    while (at < end) {
        size_t length =
            strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

        if (length > 0) {
            snprintf(name, sizeof(name), "%.*s", (int)length, at);
            at += length;
        } else if (strncmp(at, "/*", 2) == 0) {
            assert_true(count > 0);
            at = copy_comment(at + 2, members[count - 1].comment, sizeof(members[0].comment));
        } else {
            if (strchr(strcmp(kind, "enum") == 0 ? "=" : ",;", *at) != NULL) {
                assert_true(count < room);
                memset(&members[count], 0, sizeof(member));
                snprintf(members[count++].name, sizeof(members[0].name), "%s", name);
            }
            at++;
        }
    }
    return count;
}

/* Each member but `size` begins a row. Returns how many rows there must be. */
static size_t
check_rows(const char *doc, const char *header, const char *kind, const char *type)
{
    member members[32];
    size_t count = read_members(header, kind, type, members, 32), rows = 0;
    char row[640];

    for (size_t i = 0; i < count; i++) {
        if (strcmp(members[i].name, "size") == 0)
            continue;
        snprintf(row, sizeof(row), "\n| `%s` | %s%s", members[i].name, members[i].comment,
                 members[i].comment[0] != '\0' ? " |" : "");
        if (strstr(doc, row) == NULL)
            fail_msg("docs/worker.md lacks a row that begins with: %s", row);
        rows++;
    }
    assert_true(rows > 1);
    return rows;
}

/* The outcomes have no comments of their own in the header: the page explains them. */
TEST(every_choice_stands_in_its_doc)
{
    char *doc = read_project_file("docs/worker.md");
    char *worker = read_project_file("include/pgqrs/worker.h");
    char *job = read_project_file("include/pgqrs/job.h");
    char *event = read_project_file("include/pgqrs/event.h");
    size_t rows = 0, found = 0;

    (void)state;
    rows += check_rows(doc, worker, "struct", "pgqrs_worker_options");
    rows += check_rows(doc, worker, "struct", "pgqrs_worker_queue_options");
    rows += check_rows(doc, worker, "struct", "pgqrs_worker_counts");
    rows += check_rows(doc, worker, "enum", "pgqrs_retry_policy");
    rows += check_rows(doc, worker, "enum", "pgqrs_done_policy");
    rows += check_rows(doc, event, "enum", "pgqrs_event_kind");
    rows += check_rows(doc, job, "enum", "pgqrs_job_outcome");
    rows += check_rows(doc, job, "enum", "pgqrs_job_cancellation");
    /* The heads of tables that name a type are rows of no member. */
    for (const char *line = strchr(doc, '\n'); line != NULL; line = strchr(line + 1, '\n'))
        found +=
            strncmp(line, "\n| `", 4) == 0 && strstr(line + 1, "\n|---") != strchr(line + 1, '\n');
    assert_int_equal(found, rows);
    free(event);
    free(job);
    free(worker);
    free(doc);
}

static char *
read_examples(void)
{
    const char *root = getenv("PGQRS_TEST_SOURCE_DIR");
    char pattern[4096];
    char *all = calloc(1, LONGEST_FILE);
    glob_t found;

    assert_non_null(all);
    snprintf(pattern, sizeof(pattern), "%s/examples/*.c", root != NULL ? root : ".");
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = read_file(found.gl_pathv[i]);

        assert_true(strlen(all) + strlen(text) < LONGEST_FILE);
        strcat(all, text);
        free(text);
    }
    globfree(&found);
    return all;
}

TEST(what_it_shows_stands_in_an_example)
{
    char *doc = read_project_file("docs/worker.md");
    char *examples = read_examples();
    int count = 0;

    (void)state;
    for (char *block = strstr(doc, "\n```c\n"); block != NULL; count++) {
        char *begin = block + 6, *end = strstr(begin, "```\n");

        assert_non_null(end);
        *end = '\0';
        if (strstr(examples, begin) == NULL)
            fail_msg("no example holds what docs/worker.md shows:\n%s", begin);
        block = strstr(end + 1, "\n```c\n");
    }
    assert_true(count > 1);
    free(examples);
    free(doc);
}

TEST_MAIN(NULL, NULL)
