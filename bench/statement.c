#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct placeholder {
    const char *text;
    const char *before, *after; /* the id in the table's name; NULL: the schema */
} placeholders[] = {
    { ":\"schema\"", NULL, NULL },
    { ":\"ready\"", "pgqrs_messages_", "_ready" },
    { ":\"held\"", "pgqrs_messages_", "_held" },
    { ":\"bare\"", "pgqrs_bench_", "" },
};

static const struct placeholder *
find_placeholder(const char *text)
{
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
        if (strncmp(text, placeholders[i].text, strlen(placeholders[i].text)) == 0)
            return &placeholders[i];
    return NULL;
}

char *
bench_statement_text(const bench_run *run, bench_sql statement, int64_t id)
{
    const char *p = bench_sql_texts[statement].text;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    while (*p != '\0') {
        const struct placeholder *found = find_placeholder(p);

        if (found == NULL)
            fputc(*p, out);
        else if (found->before == NULL)
            fputs(run->schema, out);
        else
            fprintf(out, "%s%lld%s", found->before, (long long)id, found->after);
        p += found != NULL ? strlen(found->text) : 1;
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

PGresult *
bench_statement_run(bench_run *run, PGconn *connection, bench_sql statement, int64_t id,
                    const char *const *parameters, int count, const char *what)
{
    char *text = bench_statement_text(run, statement, id);
    PGresult *result;
    ExecStatusType status;

    if (text == NULL) {
        bench_fail(run, EX_OSERR, "could not %s: out of memory", what);
        return NULL;
    }
    result = PQexecParams(connection, text, count, NULL, parameters, NULL, NULL, 0);
    free(text);
    status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    bench_fail_libpq(run, what, PQerrorMessage(connection));
    PQclear(result);
    return NULL;
}

int
bench_statement_do(bench_run *run, PGconn *connection, bench_sql statement, int64_t id, const char *what)
{
    PGresult *result = bench_statement_run(run, connection, statement, id, NULL, 0, what);

    PQclear(result);
    return result != NULL ? 0 : -1;
}

int64_t
bench_statement_integer(const PGresult *result, int column)
{
    if (PQntuples(result) < 1 || column >= PQnfields(result) || PQgetisnull(result, 0, column))
        return 0;
    return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}
