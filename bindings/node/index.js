export { Command, run } from './lib/command.js';
export * from './lib/constants.js';
export { RunnerError } from './lib/error.js';
export { version } from './lib/library.js';
export { probe } from './lib/probe.js';
export { DEFAULT_CAPTURE } from './lib/stdio.js';
