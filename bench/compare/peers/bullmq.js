'use strict';
// BullMQ on redis-server, whose log is flushed before it answers, as PostgreSQL's is.

const { Queue, Worker } = require('bullmq');
const { Redis } = require('ioredis');
const { payload } = require('../payload');

class BullMQ {
  constructor(part) {
    this.part = part;
    this.serverPid = Number(process.env.COMPARE_REDIS_PID);
    this.connection = { path: process.env.COMPARE_REDIS_SOCKET, maxRetriesPerRequest: null };
    this.concurrency = part.batch > 1 ? 100 : part.workers;
    this.settings = `${part.batch > 1 ? 'addBulk' : 'add'}, one Worker with concurrency ${this.concurrency}, ` +
      'removeOnComplete; redis-server with appendonly yes and appendfsync always, no snapshots';
  }

  async setup() {
    this.observer = new Redis(this.connection);
    await this.observer.flushall();
    this.queue = new Queue('work', { connection: this.connection, defaultJobOptions: { removeOnComplete: true } });
    await this.queue.waitUntilReady();
  }

  async checkpoint() {}

  async logBytes() {
    return Number(/aof_current_size:([0-9]+)/.exec(await this.observer.info('persistence'))[1]);
  }

  enqueueSingle() {
    return this.queue.add('job', payload);
  }

  enqueueBulk(count) {
    return this.queue.addBulk(new Array(count).fill({ name: 'job', data: payload }));
  }

  async drain(count) {
    let left = count;
    let allFinished;
    const finished = new Promise(resolve => (allFinished = resolve));
    const worker = new Worker('work', async () => {}, { connection: this.connection, concurrency: this.concurrency });
    worker.on('completed', () => {
      left--;
      if (left === 0) allFinished();
    });
    await finished;
    await worker.close();
  }

  async teardown() {
    const counts = await this.queue.getJobCounts();
    const left = Object.values(counts).reduce((sum, count) => sum + count, 0);
    if (left !== 0) throw new Error(`${left} jobs are left after all were to be finished`);
    await this.queue.close();
    await this.observer.quit();
  }
}

module.exports = BullMQ;
