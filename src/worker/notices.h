/*
 * Notices: what the server's notifications say to this worker.
 */
#ifndef PGQRSI_WORKER_NOTICES_H
#define PGQRSI_WORKER_NOTICES_H

#include "worker/claiming.h"

/** Takes all that have come. */
void pgqrsi_notices_take(pgqrsi_claiming *claiming, int64_t now_ms);

#endif
