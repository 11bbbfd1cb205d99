/*
 * Turns .sql files into one C source and one header, at build time.
 *
 *     embed-sql PREFIX ROOT OUT.c OUT.h FILE...
 *
 * ROOT/consumer/claim_ready.sql becomes PREFIX_CONSUMER_CLAIM_READY of the enumeration `PREFIX` and a row of
 * the table `PREFIX_texts`. Whole-line comments are left out: they are for the reader of the file, not for
 * the server.
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

/* The build names files relative to folders of its own choice, so both are resolved before they are compared.
 */
static void
print_identifier(FILE *out, const char *path, const char *root, int upper)
{
    char *full_path = realpath(path, NULL);
    char *full_root = realpath(root, NULL);
    const char *end;

    if (full_path == NULL || full_root == NULL || strncmp(full_path, full_root, strlen(full_root)) != 0)
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

int
main(int argc, char **argv)
{
    const char *prefix, *root;
    FILE *source, *header;

    if (argc < 6)
        die("work with", "so few arguments");
    prefix = argv[1];
    root = argv[2];
    source = open_file(argv[3], "w");
    header = open_file(argv[4], "w");
    fprintf(header, "/* Made by embed-sql; do not edit. */\n#pragma once\n\ntypedef enum %s {\n", prefix);
    fprintf(source,
            "/* Made by embed-sql; do not edit. */\n#include \"%s\"\n\nconst struct %s_text %s_texts[] = {\n",
            strrchr(argv[4], '/') != NULL ? strrchr(argv[4], '/') + 1 : argv[4], prefix, prefix);
    for (int i = 5; i < argc; i++) {
        fputs("    ", header);
        for (const char *p = prefix; *p != '\0'; p++)
            fputc(toupper((unsigned char)*p), header);
        fputc('_', header);
        print_identifier(header, argv[i], root, 1);
        fputs(",\n", header);
        fputs("    { \"", source);
        print_identifier(source, argv[i], root, 0);
        fputs("\",", source);
        print_text(source, argv[i]);
        fputs(" },\n", source);
    }
    fprintf(header, "} %s;\n\n#define ", prefix);
    for (const char *p = prefix; *p != '\0'; p++)
        fputc(toupper((unsigned char)*p), header);
    fprintf(header,
            "_COUNT %d\n\nextern const struct %s_text {\n    const char *name;\n    const char *text;\n} "
            "%s_texts[];\n",
            argc - 5, prefix, prefix);
    fputs("};\n", source);
    if (fclose(source) != 0 || fclose(header) != 0)
        die("write", argv[3]);
    return 0;
}
