/*
 * Notices: acts on notifications from the server.
 */
#ifndef PGQRSI_WORKER_NOTICES_H
#define PGQRSI_WORKER_NOTICES_H

#include "worker/claiming.h"

/** Takes all that have come. */
void pgqrsi_notices_take(pgqrsi_claiming *claiming, int64_t now_ms);

#endif
