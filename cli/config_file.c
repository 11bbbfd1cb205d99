#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "line/dsn.h"
#include "line/suggest.h"

#define MAX_BYTES ((off_t)1 << 20)
#define MAX_SETTINGS 64

/* A file being read. */
struct reader {
    cli_context *context;
    const char *path;
    yaml_parser_t parser;
    yaml_event_t event; /* the one under inspection */
    int has_event;
    uint64_t seen;       /* bit i: the i-th setting was set */
    int others_may_read; /* the file */
};

static int
refuse(const struct reader *reader, yaml_mark_t mark, const char *what)
{
    cli_log_failure(&reader->context->log, "%s:%zu:%zu: %s", reader->path, mark.line + 1,
                    mark.column + 1, what);
    return CLI_EXIT_CONFIG;
}

static int
refuse_file(cli_context *context, const char *path, const char *why)
{
    cli_log_failure(&context->log, "cannot read the configuration file \"%s\": %s", path, why);
    return CLI_EXIT_CONFIG;
}

/* Moves on to the next event. */
static int
next(struct reader *reader)
{
    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = yaml_parser_parse(&reader->parser, &reader->event);
    if (reader->has_event)
        return 0;
    return refuse(reader, reader->parser.problem_mark,
                  reader->parser.problem != NULL ? reader->parser.problem
                                                 : pgqrs_status_text(PGQRS_ENOMEM));
}

static const char *
scalar_text(const struct reader *reader)
{
    return (const char *)reader->event.data.scalar.value;
}

/* The index of the setting called `name`, or -1. */
static int
find_setting(const char *name)
{
    const pgqrs_setting *setting;

    for (size_t i = 0; i < MAX_SETTINGS; i++) {
        setting = pgqrs_config_setting(i);
        if (setting == NULL)
            return -1;
        if (strcmp(setting->name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int
refuse_key(const struct reader *reader, const char *key)
{
    cli_suggest suggest = CLI_SUGGEST_INIT(key);
    char what[160];

    for (size_t i = 0; pgqrs_config_setting(i) != NULL; i++)
        cli_suggest_consider(&suggest, pgqrs_config_setting(i)->name);
    if (cli_dsn_may_hold_password(key))
        return refuse(reader, reader->event.start_mark,
                      "expected the name of a setting: write a connection string as \"dsn: ...\"");
    if (suggest.best != NULL)
        snprintf(what, sizeof(what), "there is no setting \"%.60s\": did you mean \"%s\"?", key,
                 suggest.best);
    else
        snprintf(what, sizeof(what), "there is no setting \"%.60s\"", key);
    return refuse(reader, reader->event.start_mark, what);
}

/* An empty value, "~" and "null" mean nothing in YAML; a text in quotes is always a text. */
static int
is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* Sets the setting `index` from the event, a value. */
static int
take_value(struct reader *reader, int index)
{
    const pgqrs_setting *setting = pgqrs_config_setting((size_t)index);
    pgqrs_slice value;
    char what[120];

    if (reader->event.type != YAML_SCALAR_EVENT) {
        snprintf(what, sizeof(what), "the setting \"%s\" takes one plain value", setting->name);
        return refuse(reader, reader->event.start_mark, what);
    }
    if (is_null(&reader->event)) {
        snprintf(what, sizeof(what), "the setting \"%s\" has no value: give one or remove the line",
                 setting->name);
        return refuse(reader, reader->event.start_mark, what);
    }
    value.data = scalar_text(reader);
    value.size = reader->event.data.scalar.length;
    if (pgqrs_config_set(reader->context->config, pgqrs_slice_of(setting->name), value,
                         reader->context->err) == PGQRS_OK) {
        if (reader->others_may_read && strcmp(setting->name, "dsn") == 0 &&
            cli_dsn_may_hold_password(value.data))
            cli_log_write(&reader->context->log, CLI_LOG_WARN,
                          "the file \"%s\" holds a password and others may read it: use chmod 600",
                          reader->path);
        return 0;
    }
    return refuse(reader, reader->event.start_mark, pgqrs_error_message(reader->context->err));
}

/* Takes one "name: value"; the event is the name. */
static int
take_pair(struct reader *reader)
{
    int index, code;

    if (reader->event.type != YAML_SCALAR_EVENT)
        return refuse(reader, reader->event.start_mark, "expected the name of a setting");
    index = find_setting(scalar_text(reader));
    if (index < 0 || strlen(scalar_text(reader)) != reader->event.data.scalar.length)
        return refuse_key(reader, scalar_text(reader));
    if (reader->seen & UINT64_C(1) << index)
        return refuse(reader, reader->event.start_mark, "this setting was given before");
    reader->seen |= UINT64_C(1) << index;
    code = next(reader);
    return code == 0 ? take_value(reader, index) : code;
}

/* Takes the document's root: a mapping, or nothing at all. */
static int
take_root(struct reader *reader)
{
    int code = 0;

    if (reader->event.type == YAML_SCALAR_EVENT && is_null(&reader->event))
        return 0;
    if (reader->event.type != YAML_MAPPING_START_EVENT)
        return refuse(reader, reader->event.start_mark,
                      "expected lines of the form \"name: value\"");
    for (;;) {
        code = next(reader);
        if (code != 0 || reader->event.type == YAML_MAPPING_END_EVENT)
            return code;
        code = take_pair(reader);
        if (code != 0)
            return code;
    }
}

static int
take_stream(struct reader *reader)
{
    int code = next(reader), documents = 0;

    while (code == 0 && reader->event.type != YAML_STREAM_END_EVENT) {
        if (reader->event.type == YAML_DOCUMENT_START_EVENT && documents++ > 0)
            return refuse(reader, reader->event.start_mark, "expected one document only");
        if (reader->event.type == YAML_DOCUMENT_START_EVENT) {
            code = next(reader);
            if (code == 0)
                code = take_root(reader);
        }
        if (code == 0)
            code = next(reader);
    }
    return code;
}

static int
take_text(cli_context *context, const char *path, mode_t mode, const char *text, size_t size)
{
    struct reader reader = { .context = context,
                             .path = path,
                             .others_may_read = (mode & (S_IRGRP | S_IROTH)) != 0 };
    int code;

    if (!yaml_parser_initialize(&reader.parser))
        return refuse_file(context, path, pgqrs_status_text(PGQRS_ENOMEM));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
    code = take_stream(&reader);
    if (reader.has_event)
        yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return code;
}

/* Reads at most `size` bytes; a file that shrinks meanwhile gives fewer. */
static ssize_t
read_all(int fd, char *text, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, text + length, size - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static int
load_open_file(cli_context *context, const char *path, int fd)
{
    struct stat info;
    char *text;
    ssize_t size;
    int code;

    if (fstat(fd, &info) != 0)
        return refuse_file(context, path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse_file(context, path, "it is not a regular file");
    if (info.st_size > MAX_BYTES)
        return refuse_file(context, path, "it is longer than 1 MiB");
    text = malloc((size_t)info.st_size + 1);
    if (text == NULL)
        return refuse_file(context, path, pgqrs_status_text(PGQRS_ENOMEM));
    size = read_all(fd, text, (size_t)info.st_size);
    code = size >= 0 ? take_text(context, path, info.st_mode, text, (size_t)size)
                     : refuse_file(context, path, strerror(errno));
    explicit_bzero(text, (size_t)info.st_size);
    free(text);
    return code;
}

static int
is_trusted(const struct stat *info)
{
    return info->st_uid == geteuid() || info->st_uid == 0;
}

/* Why the file must not be believed; NULL if it may. A symbolic link is judged by whoever made it,
 * too. A folder that others can write in lets them put another file of this user there, unless it
 * is sticky. */
static const char *
find_distrust(const char *name, int fd)
{
    struct stat file, entry, folder;

    if (fstat(fd, &file) != 0 || lstat(name, &entry) != 0 || stat(".", &folder) != 0)
        return strerror(errno);
    if (!is_trusted(&file) || !is_trusted(&entry))
        return "it belongs to another user";
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others may write it: use chmod go-w on it";
    if (!is_trusted(&folder))
        return "this folder belongs to another user";
    if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (folder.st_mode & S_ISVTX) == 0)
        return "others may write in this folder: use chmod go-w on it";
    return NULL;
}

int
cli_config_file_load_found(cli_context *context, const char *name, int *out_found)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code;
    const char *distrust;

    *out_found = fd >= 0 || errno != ENOENT;
    if (fd < 0)
        return *out_found ? refuse_file(context, name, strerror(errno)) : 0;
    distrust = find_distrust(name, fd);
    if (distrust == NULL) {
        code = load_open_file(context, name, fd);
    } else {
        cli_log_failure(&context->log,
                        "refused the configuration file \"%s\" that lies in this folder: %s, or "
                        "name the file with "
                        "--config if you trust it",
                        name, distrust);
        code = CLI_EXIT_CONFIG;
    }
    close(fd);
    if (code == 0)
        cli_log_write(&context->log, CLI_LOG_INFO, "read the settings in \"%s\"", name);
    return code;
}

int
cli_config_file_load(cli_context *context, const char *path)
{
    /* Not to wait for somebody to open the other end of a FIFO. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int code;

    if (fd < 0)
        return refuse_file(context, path, strerror(errno));
    code = load_open_file(context, path, fd);
    close(fd);
    if (code == 0)
        cli_log_write(&context->log, CLI_LOG_INFO, "read the settings in \"%s\"", path);
    return code;
}
