'use strict';
// graphile-worker. Batch 1 is its ordinary way; else the settings of the page "Performance" of its documentation.

const { Logger, makeWorkerUtils, run } = require('graphile-worker');
const { Pool } = require('pg');
const { payload } = require('../payload');
const PostgresPeer = require('./postgres');

// It would write a line for each job.
const logger = new Logger(() => () => {});

class Graphile extends PostgresPeer {
  constructor(part) {
    super(part);
    this.batched = part.batch > 1;
    this.worker = this.batched
      ? { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
      : { concurrentJobs: part.workers };
    this.settings = `${JSON.stringify(this.worker)}; ${this.batched ? 'addJobs' : 'addJob'}; logging off`;
  }

  async setup() {
    await this.connect();
    const max = this.worker.concurrentJobs + 1;
    this.pool = new Pool({ max });
    this.utils = await makeWorkerUtils({ pgPool: this.pool, logger });
    await this.utils.migrate();
    await Promise.all(Array.from({ length: max }, () => this.pool.query('SELECT pg_sleep(0.05)')));
  }

  enqueueSingle() {
    return this.utils.addJob('work', payload);
  }

  enqueueBulk(count) {
    return this.utils.addJobs(new Array(count).fill({ identifier: 'work', payload }));
  }

  // Completions that are gathered are written by stop() at the latest.
  async drain(count) {
    let left = count;
    let allHandled;
    const handled = new Promise(resolve => (allHandled = resolve));
    const runner = await run({
      preset: { worker: { ...this.worker } },
      pgPool: this.pool,
      logger,
      noHandleSignals: true,
      taskList: {
        work: async () => {
          left--;
          if (left === 0) allHandled();
        },
      },
    });
    await handled;
    await runner.stop();
  }

  async teardown() {
    await this.expectNone('SELECT count(*) FROM graphile_worker.jobs');
    await this.utils.release();
    await this.pool.end();
    await this.disconnect();
  }
}

module.exports = Graphile;
