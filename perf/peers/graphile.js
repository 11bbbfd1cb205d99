'use strict';
// graphile-worker. "graphile-single" is its ordinary way, one job a statement; "graphile" has the settings of the page
// "Performance" of its documentation.

const { Logger, makeWorkerUtils, run } = require('graphile-worker');
const { Pool } = require('pg');
const { payload, numbered } = require('./payload');
const PostgresPeer = require('./postgres');

// It would write a line for each job.
const logger = new Logger(() => () => {});

class Graphile extends PostgresPeer {
  constructor(part) {
    super(part);
    this.batched = part.peer === 'graphile';
    this.worker = this.batched
      ? { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
      : { concurrentJobs: part.workers };
    this.settings = `${JSON.stringify(this.worker)}; ${part.batch > 1 ? 'addJobs' : 'addJob'}; logging off`;
  }

  async setup() {
    await this.connect();
    // Where both happen at the same time, so that nothing waits for a connection.
    const producers = this.part.kind === 'pickup' ? this.part.callers : 0;
    const max = Math.max(this.worker.concurrentJobs, this.part.callers) + producers + 1;
    this.pool = new Pool({ max });
    this.utils = await makeWorkerUtils({ pgPool: this.pool, logger });
    await this.utils.migrate();
    await Promise.all(Array.from({ length: max }, () => this.pool.query('SELECT pg_sleep(0.05)')));
  }

  enqueueSingle(number) {
    return this.utils.addJob('work', numbered(number));
  }

  enqueueBulk(count) {
    return this.utils.addJobs(new Array(count).fill({ identifier: 'work', payload }));
  }

  start(work) {
    return run({
      preset: { worker: { ...this.worker } },
      pgPool: this.pool,
      logger,
      noHandleSignals: true,
      taskList: { work },
    });
  }

  // Completions that are gathered are written by stop() at the latest.
  async drain(count) {
    let left = count;
    let allHandled;
    const handled = new Promise(resolve => (allHandled = resolve));
    const runner = await this.start(async () => {
      left--;
      if (left === 0) allHandled();
    });
    await handled;
    await runner.stop();
  }

  async work(handler) {
    const runner = await this.start(async job => handler(job.n));
    return () => runner.stop();
  }

  async teardown() {
    await this.expectNone('SELECT count(*) FROM graphile_worker.jobs');
    await this.utils.release();
    await this.pool.end();
    await this.disconnect();
  }
}

module.exports = Graphile;
