'use strict';
// BullMQ on redis-server, whose log is flushed before it answers, as PostgreSQL's is.

const { Queue, Worker } = require('bullmq');
const { Redis } = require('ioredis');
const { payload, numbered } = require('./payload');

// As many as the other peers have where that is what is compared; else faster here than one Worker with 100.
const shapeOf = part =>
  (part.kind === 'life' ? { workerCount: 4, concurrency: 25 } : { workerCount: 1, concurrency: part.workers });

class BullMQ {
  constructor(part) {
    this.part = part;
    this.shape = shapeOf(part);
    const { workerCount, concurrency } = this.shape;
    this.serverPid = Number(process.env.PERF_REDIS_PID);
    this.connection = { path: process.env.PERF_REDIS_SOCKET, maxRetriesPerRequest: null };
    this.settings = `${part.batch > 1 ? 'addBulk' : 'add'}, ${workerCount} Worker${workerCount > 1 ? 's' : ''} with ` +
      `concurrency ${concurrency} in one process, removeOnComplete`;
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

  async ping() {
    await this.observer.ping();
  }

  enqueueSingle(number) {
    return this.queue.add('job', numbered(number));
  }

  enqueueBulk(count) {
    return this.queue.addBulk(new Array(count).fill({ name: 'job', data: payload }));
  }

  async drain(count) {
    let left = count;
    let allFinished;
    const finished = new Promise(resolve => (allFinished = resolve));
    const started = process.hrtime.bigint();
    const { workerCount, concurrency } = this.shape;
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
    return { seconds };
  }

  async work(handler) {
    const worker = new Worker('work', async job => handler(job.data.n), { connection: this.connection,
      concurrency: this.shape.concurrency });
    worker.on('failed', (job, error) => {
      throw error;
    });
    await worker.waitUntilReady();
    return () => worker.close();
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
