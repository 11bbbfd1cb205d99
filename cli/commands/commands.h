/*
 * The commands: what the tree's nodes run. Each takes the parsed command line from its context,
 * prints results through context->output, reports a failure in one line, and returns an exit code.
 */
#ifndef PGQRS_CLI_COMMANDS_H
#define PGQRS_CLI_COMMANDS_H

#include "line/context.h"
#include "local/local.h"

/* The groups of the tree, each in a file tree_*.c, and the options of bench. */
extern const cli_node cli_queue_commands[];
extern const cli_node cli_message_commands[];
extern const cli_node cli_archive_commands[];
extern const cli_node cli_local_commands[];
extern const cli_option cli_bench_options[];

/* admin.c */
extern const cli_column cli_finding_columns[];
int cli_install(cli_context *context);
int cli_uninstall(cli_context *context);
int cli_verify(cli_context *context);

/* queue.c */
extern const cli_column cli_listed_columns[];
extern const cli_column cli_metrics_columns[];
int cli_queue_create(cli_context *context);
int cli_queue_list(cli_context *context);
int cli_queue_get(cli_context *context);
int cli_queue_pause(cli_context *context);
int cli_queue_resume(cli_context *context);
int cli_queue_delete(cli_context *context);
int cli_queue_purge(cli_context *context);
int cli_queue_metrics(cli_context *context);

/* loss.c: what a command destroys, in words such as "deletes the queue "mails" with 3 messages" */
int cli_loss_of_queue(cli_context *context, char *text, size_t size);
int cli_loss_of_messages(cli_context *context, char *text, size_t size);
int cli_loss_of_schema(cli_context *context, char *text, size_t size);
int cli_loss_of_server(cli_context *context, char *text, size_t size);

/* send.c, send_file.c */
int cli_message_send_check(cli_context *context);
int cli_message_send(cli_context *context);
int cli_message_send_file(cli_context *context);

/* message.c */
int cli_message_read_check(cli_context *context);
int cli_message_read(cli_context *context);
int cli_message_dequeue(cli_context *context);
int cli_message_count(cli_context *context);
int cli_message_show(cli_context *context);

/* lease.c */
int cli_message_delete(cli_context *context);
int cli_message_archive(cli_context *context);
int cli_message_extend(cli_context *context);
int cli_message_release(cli_context *context);
int cli_message_fail(cli_context *context);
int cli_message_cancel(cli_context *context);

/* archive.c */
extern const cli_column cli_dead_group_columns[];
int cli_archive_list(cli_context *context);
int cli_archive_errors(cli_context *context);
int cli_archive_replay_check(cli_context *context);
int cli_archive_replay_many(cli_context *context, char *text, size_t size); /* as tell_loss */
int cli_archive_replay(cli_context *context);
/** `message read --archive`, `message show --archive`. */
int cli_archive_print_page(cli_context *context, const pgqrs_archive_options *options);
int cli_archive_print_one(cli_context *context);

/* local.c */
extern const cli_column cli_server_columns[];
/** The server that the command is about: NAME, else the one that the DSN names, else the default
 * one. */
pgqrs_slice cli_local_name(const cli_context *context);
/** The private server that `dsn` names; { NULL, 0 } if it names none. */
pgqrs_slice cli_local_name_in(const char *dsn);
/** Calls `visit` with `arg` for each private server of this user. 0, or an exit code after a line
 * on standard error, with no call made. */
typedef void (*cli_local_visitor)(void *arg, const char *name, const pgqrs_local_info *info);
int cli_local_visit(cli_context *context, cli_local_visitor visit, void *arg);
/** Starts the private server that the setting `dsn` names, if it names one: the library connects
 * only to one that runs. 0, or an exit code after a line on standard error. */
int cli_local_require(cli_context *context);
int cli_local_start(cli_context *context);
int cli_local_stop(cli_context *context);
int cli_local_status(cli_context *context);
int cli_local_list(cli_context *context);
int cli_local_psql(cli_context *context);
int cli_local_log(cli_context *context);
int cli_local_destroy(cli_context *context);

/* work.c, bench.c */
int cli_work_check(cli_context *context);
int cli_work(cli_context *context);
int cli_bench_check(cli_context *context);
int cli_bench(cli_context *context);

#endif
