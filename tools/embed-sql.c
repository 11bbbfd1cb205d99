/*
 * Turns .sql files into one C source and one header, at build time.
 *
 *     embed-sql [--shapes] PREFIX ROOT OUT.c OUT.h FILE...
 *
 * ROOT/consumer/claim_ready.sql becomes PREFIX_CONSUMER_CLAIM_READY of the enumeration `PREFIX` and
 * a row of the table `PREFIX_texts`. Whole-line comments are left out: they are for the reader of
 * the file, not for the server. With --shapes two of them are read: what the statement returns, as
 * src/db/shape.h says it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
die(const char *what, const char *name)
{
    fprintf(stderr, "embed-sql: cannot %s %s\n", what, name);
    exit(1);
}

static FILE *
open_file(const char *name, const char *mode)
{
    FILE *file = fopen(name, mode);

    if (file == NULL)
        die("open", name);
    return file;
}

/* The build names files relative to folders of its own choice, so both are resolved before they are
 * compared. */
static void
print_identifier(FILE *out, const char *path, const char *root, int upper)
{
    char *full_path = realpath(path, NULL);
    char *full_root = realpath(root, NULL);
    const char *end;

    if (full_path == NULL || full_root == NULL ||
        strncmp(full_path, full_root, strlen(full_root)) != 0)
        die("find below the root", path);
    end = strrchr(full_path, '.');
    for (const char *p = full_path + strlen(full_root) + 1; p < end; p++) {
        int c = isalnum((unsigned char)*p) ? *p : '_';

        fputc(upper ? toupper(c) : c, out);
    }
    free(full_path);
    free(full_root);
}

static void
print_text(FILE *out, const char *path)
{
    FILE *in = open_file(path, "r");
    char *line = NULL;
    size_t capacity = 0;

    while (getline(&line, &capacity, in) > 0) {
        if (strncmp(line, "--", 2) == 0)
            continue;
        fputs("\n        \"", out);
        for (const char *p = line; *p != '\0'; p++) {
            if (*p == '\n')
                fputs("\\n", out);
            else if (*p == '"' || *p == '\\')
                fprintf(out, "\\%c", *p);
            else
                fputc(*p, out);
        }
        fputc('"', out);
    }
    free(line);
    fclose(in);
}

/* Types by the names that files give them. OIDs of built-in types never change. */
static const struct {
    const char *name;
    unsigned oid;
} types[] = {
    { "bool", 16 },       { "int8", 20 },          { "int2", 21 },     { "int4", 23 },
    { "text", 25 },       { "float8", 701 },       { "int8[]", 1016 }, { "text[]", 1009 },
    { "interval", 1186 }, { "timestamptz", 1184 }, { "jsonb", 3802 },  { "int2[]", 1005 },
    { "void", 2278 },
};

static unsigned
oid_of(const char *type, const char *path)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i].name) == 0)
            return types[i].oid;
    die("know a type of a column in", path);
    return 0;
}

static int
rows_of(const char *rows, const char *path)
{
    static const char *const words[] = { "none", "one", "optional", "many" };

    if (*rows == '$' && atoi(rows + 1) > 0)
        return atoi(rows + 1);
    for (int i = 0; i < 4; i++)
        if (strcmp(rows, words[i]) == 0)
            return -1 - i;
    die("understand the number of rows in", path);
    return 0;
}

/* What stands behind `label` in a line of its own; "" if there is none. */
static void
find_line(const char *path, const char *label, char *out, size_t size)
{
    FILE *in = open_file(path, "r");
    char *line = NULL;
    size_t capacity = 0;

    out[0] = '\0';
    while (getline(&line, &capacity, in) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, label, strlen(label)) == 0)
            snprintf(out, size, "%s", line + strlen(label));
    }
    free(line);
    fclose(in);
}

static void
print_shape(FILE *out, const char *path)
{
    char columns[256], rows[32], *rest = NULL;
    int count = 0, is_exact;

    find_line(path, "-- Columns: ", columns, sizeof(columns));
    find_line(path, "-- Rows: ", rows, sizeof(rows));
    if (columns[0] == '\0' || rows[0] == '\0')
        die("find lines that say \"-- Columns: ...\" and \"-- Rows: ...\" in", path);
    is_exact = rows[0] == '=';
    count = rows_of(rows + is_exact, path);
    fprintf(out, "\n        { .rows = %d, .is_exact = %d, .columns = {", count,
            is_exact || strcmp(rows, "one") == 0);
    count = 0;
    if (strcmp(columns, "none") == 0)
        columns[0] = '\0';
    for (char *type = strtok_r(columns, " ", &rest); type != NULL;
         type = strtok_r(NULL, " ", &rest), count++)
        fprintf(out, "%s %u", count > 0 ? "," : "", oid_of(type, path));
    fprintf(out, "%s }, .column_count = %d }", count == 0 ? " 0" : "", count);
}

/* One file: a name of the enumeration, and a row of the table. */
static void
print_file(FILE *source, FILE *header, const char *prefix, const char *root, const char *path,
           int has_shapes)
{
    fputs("    ", header);
    for (const char *p = prefix; *p != '\0'; p++)
        fputc(toupper((unsigned char)*p), header);
    fputc('_', header);
    print_identifier(header, path, root, 1);
    fputs(",\n", header);
    fputs("    { \"", source);
    print_identifier(source, path, root, 0);
    fputs("\",", source);
    print_text(source, path);
    if (has_shapes) {
        fputs(",", source);
        print_shape(source, path);
    }
    fputs(" },\n", source);
}

int
main(int argc, char **argv)
{
    const char *prefix, *root;
    FILE *source, *header;
    int has_shapes = argc > 1 && strcmp(argv[1], "--shapes") == 0;

    argc -= has_shapes;
    argv += has_shapes;
    if (argc < 6)
        die("work with", "so few arguments");
    prefix = argv[1];
    root = argv[2];
    source = open_file(argv[3], "w");
    header = open_file(argv[4], "w");
    fprintf(header, "/* Made by embed-sql; do not edit. */\n#pragma once\n\n%stypedef enum %s {\n",
            has_shapes ? "#include \"db/shape.h\"\n\n" : "", prefix);
    fprintf(source,
            "/* Made by embed-sql; do not edit. */\n#include \"%s\"\n\nconst struct %s_text "
            "%s_texts[] = {\n",
            strrchr(argv[4], '/') != NULL ? strrchr(argv[4], '/') + 1 : argv[4], prefix, prefix);
    for (int i = 5; i < argc; i++)
        print_file(source, header, prefix, root, argv[i], has_shapes);
    fprintf(header, "} %s;\n\n#define ", prefix);
    for (const char *p = prefix; *p != '\0'; p++)
        fputc(toupper((unsigned char)*p), header);
    fprintf(header,
            "_COUNT %d\n\nextern const struct %s_text {\n    const char *name;\n    const char "
            "*text;\n%s} "
            "%s_texts[];\n",
            argc - 5, prefix, has_shapes ? "    pgqrsi_shape shape;\n" : "", prefix);
    fputs("};\n", source);
    if (fclose(source) != 0 || fclose(header) != 0)
        die("write", argv[3]);
    return 0;
}
