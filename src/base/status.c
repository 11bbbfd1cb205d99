#include <pgqrs/status.h>
#include <pgqrs/version.h>

const char *
pgqrs_status_name(pgqrs_status status)
{
    switch (status) {
#define PGQRS_STATUS_NAME(name, value, text)                                                       \
    case PGQRS_##name:                                                                             \
        return "PGQRS_" #name;
        PGQRS_STATUS_MAP(PGQRS_STATUS_NAME)
#undef PGQRS_STATUS_NAME
    }
    return "PGQRS_?";
}

const char *
pgqrs_status_text(pgqrs_status status)
{
    switch (status) {
#define PGQRS_STATUS_TEXT(name, value, text)                                                       \
    case PGQRS_##name:                                                                             \
        return text;
        PGQRS_STATUS_MAP(PGQRS_STATUS_TEXT)
#undef PGQRS_STATUS_TEXT
    }
    return "unknown status";
}

const char *
pgqrs_version(void)
{
    return PGQRS_VERSION;
}
