#include "line/exit.h"

static const cli_exit_row rows[] = {
#define CLI_EXIT_ROW(name, value, meaning) { (value), (meaning) },
    CLI_EXIT_MAP(CLI_EXIT_ROW)
#undef CLI_EXIT_ROW
};

const cli_exit_row *
cli_exit_at(size_t index)
{
    return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}

/* No default: the compiler names a status that is missing here. */
int
cli_exit_of(pgqrs_status status)
{
    switch (status) {
    case PGQRS_OK:
        return CLI_EXIT_OK;
    case PGQRS_ENOQUEUE:
    case PGQRS_ENOMESSAGE:
    case PGQRS_EEXISTS:
    case PGQRS_ELEASELOST:
    case PGQRS_ELEASED:
        return CLI_EXIT_FAILED;
    case PGQRS_EINVAL:
        return CLI_EXIT_USAGE;
    case PGQRS_ECONNECT:
    case PGQRS_ENOTINSTALLED:
    case PGQRS_ENOSCHEMA:
    case PGQRS_EOLDSCHEMA:
    case PGQRS_ENEWSCHEMA:
        return CLI_EXIT_UNAVAILABLE;
    case PGQRS_ESERVER:
        return CLI_EXIT_SOFTWARE;
    case PGQRS_ENOMEM:
    case PGQRS_ESYSTEM:
        return CLI_EXIT_OSERR;
    case PGQRS_ETIMEDOUT:
    case PGQRS_EUNKNOWN:
    case PGQRS_ERATE:
        return CLI_EXIT_TEMPFAIL;
    case PGQRS_EAUTH:
    case PGQRS_EDENIED:
        return CLI_EXIT_NOPERM;
    case PGQRS_ECONFIG:
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_SOFTWARE;
}
