// What a start that failed becomes.
import { getSystemErrorName } from 'node:util';
import { lib } from './library.js';

export class RunnerError extends Error {
  constructor({ stage, index, err, message }) {
    super(message);
    this.stage = lib.stage_name(stage);
    this.stageNumber = stage;
    this.index = index;
    this.errno = err;
    this.code = getSystemErrorName(-err);
  }
}
Object.defineProperty(RunnerError.prototype, 'name', { value: 'RunnerError', configurable: true, writable: true });
