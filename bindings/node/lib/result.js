// What became of a run, in JavaScript's terms.
import { constants } from 'node:os';
import { Missing } from './constants.js';
import { lib } from './library.js';

const signals = new Map(Object.entries(constants.signals).reverse().map(([name, number]) => [number, name]));

/** A signal's name, or null for 0. */
export const signalName = (number) => (number ? signals.get(number) ?? `SIG${number}` : null);

const ms = (ns) => Number(ns) / 1e6;

/** The figures of a run that goes on, or has finished. */
export class Usage {
  constructor(raw) {
    this.wall = ms(raw.wall_ns);
    this.cpu = ms(raw.cpu_ns);
    this.user = ms(raw.user_ns);
    this.system = ms(raw.system_ns);
    this.setup = ms(raw.setup_ns);
    this.cpuSource = lib.source_name(raw.cpu_source);
    this.memoryPeak = Number(raw.memory_peak);
    this.memorySource = lib.source_name(raw.memory_source);
    this.oomKills = raw.oom_kills;
    this.processesPeak = Number(raw.processes_peak);
    this.processesSource = lib.source_name(raw.processes_source);
    this.processLimitHits = Number(raw.process_limit_hits);
    this.outputBytes = Number(raw.output_bytes);
    this.outputCut = raw.output_cut !== 0;
    this.outputFd = raw.output_fd < 0 ? null : raw.output_fd;
    this.missing = raw.missing;
    this.reason = raw.reason;
  }

  get missingNames() {
    return Object.values(Missing).filter((bit) => this.missing & bit).map((bit) => lib.missing_name(bit));
  }
}

export class Result extends Usage {
  constructor(raw, output) {
    super(raw);
    this.verdict = lib.verdict_name(raw.verdict);
    this.evidence = lib.evidence_name(raw.evidence);
    this.exitCode = raw.exit_code < 0 ? null : raw.exit_code;
    this.signal = signalName(raw.signal);
    this.output = output;
  }

  get ok() {
    return this.verdict === 'finished' && this.exitCode === 0;
  }

  get stdout() {
    return this.output[1];
  }

  get stderr() {
    return this.output[2];
  }
}
