#include "db/params.h"

#include <string.h>

/* OIDs of built-in types never change. */
enum {
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_JSONB = 3802,
    OID_INT8_ARRAY = 1016,
    OID_TEXT_ARRAY = 1009,
    OID_JSONB_ARRAY = 3807
};

#define JSONB_VERSION "\x01"

void
pgqrsi_params_release(pgqrsi_params *params)
{
    pgqrsi_buffer_release(&params->bytes);
    params->count = 0;
    params->failed = 0;
}

static struct pgqrsi_param *
start(pgqrsi_params *params, uint32_t type)
{
    struct pgqrsi_param *param;

    if (params->count == PGQRSI_PARAMS_MAX) {
        params->failed = 1;
        return &params->at[PGQRSI_PARAMS_MAX - 1];
    }
    param = &params->at[params->count++];
    param->offset = params->bytes.size;
    param->length = 0;
    param->is_null = 0;
    param->type = type;
    return param;
}

static void
end(pgqrsi_params *params)
{
    struct pgqrsi_param *param = &params->at[params->count - 1];
    size_t length = params->bytes.size - param->offset;

    if (length > INT32_MAX)
        params->failed = 1;
    else
        param->length = (int)length;
}

void
pgqrsi_params_add_int(pgqrsi_params *params, int64_t value)
{
    start(params, OID_INT8);
    pgqrsi_buffer_append_int64(&params->bytes, value);
    end(params);
}

void
pgqrsi_params_add_id(pgqrsi_params *params, int64_t value)
{
    if (value == 0)
        start(params, OID_INT8)->is_null = 1;
    else
        pgqrsi_params_add_int(params, value);
}

void
pgqrsi_params_add_text(pgqrsi_params *params, pgqrs_slice value)
{
    struct pgqrsi_param *param = start(params, OID_TEXT);

    param->is_null = value.data == NULL;
    pgqrsi_buffer_append_slice(&params->bytes, value);
    end(params);
}

void
pgqrsi_params_add_json(pgqrsi_params *params, pgqrs_slice value)
{
    struct pgqrsi_param *param = start(params, OID_JSONB);

    param->is_null = value.data == NULL;
    pgqrsi_buffer_append(&params->bytes, JSONB_VERSION, 1);
    pgqrsi_buffer_append_slice(&params->bytes, value);
    end(params);
}

/* Dimensions, whether there may be NULLs, element type; then size and lower bound of the one
 * dimension. */
static void
start_array(pgqrsi_params *params, uint32_t type, int32_t element_type, size_t count)
{
    start(params, type);
    pgqrsi_buffer_append_int32(&params->bytes, 1);
    pgqrsi_buffer_append_int32(&params->bytes, 1);
    pgqrsi_buffer_append_int32(&params->bytes, element_type);
    pgqrsi_buffer_append_int32(&params->bytes, (int32_t)count);
    pgqrsi_buffer_append_int32(&params->bytes, 1);
}

void
pgqrsi_params_start_ints(pgqrsi_params *params, size_t count)
{
    start_array(params, OID_INT8_ARRAY, OID_INT8, count);
}

void
pgqrsi_params_start_texts(pgqrsi_params *params, size_t count)
{
    start_array(params, OID_TEXT_ARRAY, OID_TEXT, count);
}

void
pgqrsi_params_start_jsons(pgqrsi_params *params, size_t count)
{
    start_array(params, OID_JSONB_ARRAY, OID_JSONB, count);
}

void
pgqrsi_params_element_int(pgqrsi_params *params, int64_t value)
{
    pgqrsi_buffer_append_int32(&params->bytes, sizeof(value));
    pgqrsi_buffer_append_int64(&params->bytes, value);
}

void
pgqrsi_params_element_text(pgqrsi_params *params, pgqrs_slice value)
{
    if (value.data == NULL) {
        pgqrsi_buffer_append_int32(&params->bytes, -1);
        return;
    }
    pgqrsi_buffer_append_int32(&params->bytes, (int32_t)value.size);
    pgqrsi_buffer_append_slice(&params->bytes, value);
}

void
pgqrsi_params_element_json(pgqrsi_params *params, pgqrs_slice value)
{
    if (value.data == NULL) {
        pgqrsi_buffer_append_int32(&params->bytes, -1);
        return;
    }
    pgqrsi_buffer_append_int32(&params->bytes, (int32_t)value.size + 1);
    pgqrsi_buffer_append(&params->bytes, JSONB_VERSION, 1);
    pgqrsi_buffer_append_slice(&params->bytes, value);
}

void
pgqrsi_params_end_array(pgqrsi_params *params)
{
    end(params);
}
