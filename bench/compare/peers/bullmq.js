'use strict';
// BullMQ on redis-server, whose log is flushed before it answers, as PostgreSQL's is.

const { Queue, Worker } = require('bullmq');
const { Redis } = require('ioredis');
const { payload } = require('../payload');

// Faster here than one Worker with 100.
const workerCount = 4;
const concurrency = 25;

class BullMQ {
  constructor(part) {
    this.part = part;
    this.serverPid = Number(process.env.COMPARE_REDIS_PID);
    this.connection = { path: process.env.COMPARE_REDIS_SOCKET, maxRetriesPerRequest: null };
    this.settings = `${part.batch > 1 ? 'addBulk' : 'add'}, ${workerCount} Workers with concurrency ${concurrency} ` +
      'each in one process, removeOnComplete';
  }

  async setup() {
    this.observer = new Redis(this.connection);
    await this.observer.flushall();
    this.queue = new Queue('work', { connection: this.connection, defaultJobOptions: { removeOnComplete: true } });
    await this.queue.waitUntilReady();
  }

  async checkpoint() {}

  async analyze() {}

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
    const started = process.hrtime.bigint();
    const workers = Array.from({ length: workerCount },
      () => new Worker('work', async () => {}, { connection: this.connection, concurrency }));
    for (const worker of workers) {
      worker.on('completed', () => {
        left--;
        if (left === 0) allFinished();
      });
    }
    await finished;
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    await Promise.all(workers.map(worker => worker.close()));
    return seconds;
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
