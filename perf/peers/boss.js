'use strict';
// pg-boss. Its work() waits for a while after each fetch that was not full, so the fast way is fetch() and complete(); for
// a low latency work() is woken by NOTIFY.

const { PgBoss } = require('pg-boss');
const { payload, numbered } = require('./payload');
const PostgresPeer = require('./postgres');

class Boss extends PostgresPeer {
  constructor(part) {
    super(part);
    this.wakes = part.kind === 'pickup';
    const insert = part.batch > 1 ? 'insert' : 'send';
    this.settings = `${insert}, fetch({ batchSize: ${part.batch} }), complete; a queue with a table of its own ` +
      '(partition: true), no schedules; completed jobs stay in the table, as they do by default';
    if (this.wakes)
      this.settings = `send, work() of a queue with notify, ${JSON.stringify(this.workOptions())}, useListenNotify`;
  }

  workOptions() {
    return { batchSize: 1, localConcurrency: this.part.workers, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 };
  }

  async setup() {
    await this.connect();
    this.boss = new PgBoss({ host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE,
      max: this.poolSize + (this.wakes ? this.part.callers : 0), schedule: false, useListenNotify: this.wakes });
    this.boss.on('error', error => {
      throw error;
    });
    await this.boss.start();
    await this.boss.createQueue('work', { partition: true, notify: this.wakes });
  }

  enqueueSingle(number) {
    return this.boss.send('work', numbered(number));
  }

  enqueueBulk(count) {
    return this.boss.insert('work', new Array(count).fill({ data: payload }));
  }

  async drain(count) {
    let left = count;
    const worker = async () => {
      while (left > 0) {
        const jobs = await this.boss.fetch('work', { batchSize: this.part.batch });
        if (jobs.length === 0) continue;
        await this.boss.complete('work', jobs.map(job => job.id));
        left -= jobs.length;
      }
    };
    await Promise.all(Array.from({ length: this.part.workers }, worker));
  }

  async work(handler) {
    await this.boss.work('work', this.workOptions(), async ([job]) => handler(job.data.n));
    return () => this.boss.offWork('work');
  }

  async teardown() {
    await this.expectNone("SELECT count(*) FROM pgboss.job WHERE name = 'work' AND state <> 'completed'");
    await this.boss.stop({ graceful: false });
    await this.disconnect();
  }
}

module.exports = Boss;
