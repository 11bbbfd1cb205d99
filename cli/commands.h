/*
 * The commands: what the tree's nodes run. Each takes the parsed command line from its context, prints
 * results through context->output, reports a failure in one line, and returns an exit code.
 */
#ifndef PGQRS_CLI_COMMANDS_H
#define PGQRS_CLI_COMMANDS_H

#include "context.h"
#include "local/local.h"

/* install.c */
int cli_install(cli_context *context);
int cli_uninstall(cli_context *context);
int cli_verify(cli_context *context);

/* queue.c */
int cli_queue_create(cli_context *context);
int cli_queue_list(cli_context *context);
int cli_queue_get(cli_context *context);
int cli_queue_delete(cli_context *context);
int cli_queue_purge(cli_context *context);
int cli_queue_metrics(cli_context *context);

/* loss.c: what a command destroys, in words such as "deletes the queue "mails" with 3 messages" */
#define CLI_LOSS_SIZE 600
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
int cli_archive_list(cli_context *context);
/** `message read --archive`, `message show --archive`. */
int cli_archive_print_page(cli_context *context, const pgqrs_archive_options *options);
int cli_archive_print_one(cli_context *context);

/* local.c */
/** The server that the command is about: NAME, else the one that the DSN names, else the default one. */
pgqrs_slice cli_local_name(const cli_context *context);
/** The private server that `dsn` names; { NULL, 0 } if it names none. */
pgqrs_slice cli_local_name_in(const char *dsn);
/** Starts the private server that the setting `dsn` names, if it names one: the library connects only to one
 * that runs. 0, or an exit code after a line on standard error. */
int cli_local_require(cli_context *context);
int cli_local_start(cli_context *context);
int cli_local_stop(cli_context *context);
int cli_local_status(cli_context *context);
int cli_local_list(cli_context *context);
int cli_local_psql(cli_context *context);
int cli_local_log(cli_context *context);
int cli_local_destroy(cli_context *context);

/* run_work.c, run_bench.c */
int cli_work_check(cli_context *context);
int cli_work(cli_context *context);
int cli_bench_check(cli_context *context);
int cli_bench(cli_context *context);

/* help.c, man.c, completion.c */
int cli_help(cli_context *context);
int cli_version(cli_context *context);
int cli_man(cli_context *context);
int cli_completion(cli_context *context);

#endif
