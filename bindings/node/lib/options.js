// The options of a run, but for its files, and how each one reaches the library.
import { constants as os } from 'node:os';
import koffi from 'koffi';
import { Rlimit } from './constants.js';
import {
  array, bytes, checked, integer, known, limit, memory, nanoseconds, naming, object, set, text,
} from './convert.js';
import { lib } from './library.js';
import { addPiece } from './root.js';

const one = (setter, convert = (value) => value) => (runner, value) => set(runner, setter, convert(value));
const each = (setter) => (runner, values) => array(values).forEach((value) => set(runner, setter, value));

const texts = (values) => koffi.as([...array(values).map(text), null], 'void **');
const integers = (values) => Uint32Array.from(array(values), (value) => Number(integer(value, 'uint32_t')));

function env(runner, variables) {
  const pairs = Object.entries(object(variables)).filter(([, value]) => value !== undefined);
  for (const [name] of pairs) {
    if (!name || name.includes('=')) throw new RangeError('a name that is empty, or has a = in it');
  }
  const lines = pairs.map(([name, value]) => Buffer.concat([Buffer.from(`${name}=`), bytes(value)]));
  checked(lib.set_env(runner, texts(lines)));
}

// Lines of three numbers.
const mappings = (setter) => (runner, lines) => array(lines).forEach((line) => {
  if (array(line).length !== 3) throw new TypeError('[inside, outside, count] is wanted');
  set(runner, setter, ...line);
});

function credential(runner, value) {
  const { uid, gid, groups = [] } = known(value, ['uid', 'gid', 'groups']);
  const numbers = integers(groups);
  set(runner, 'set_credential', uid, gid, numbers, numbers.length);
}

function rlimits(runner, value) {
  for (const [name, limits] of Object.entries(object(value))) {
    const resource = Rlimit[name.toUpperCase()];
    if (resource === undefined) throw new TypeError(`there is no ${name}`);
    const [soft, hard] = Array.isArray(limits) ? limits : [limits, limits];
    naming(name, () => set(runner, 'add_rlimit', resource, limit(soft), limit(hard)));
  }
}

// struct sock_filter of <linux/filter.h>: 16, 8, 8 and 32 bits, which are two words.
function instruction(line) {
  if (array(line).length !== 4) throw new TypeError('[code, jt, jf, k] is wanted');
  const [code, jt, jf, k] = line;
  for (const jump of [jt, jf]) if (integer(jump) > 255) throw new RangeError(`${jump} is not from 0 to 255`);
  const data = new Uint8Array(8);
  new Uint16Array(data.buffer, 0, 1)[0] = Number(integer(code, 'uint16_t'));
  data.set([Number(jt), Number(jf)], 2);
  new Uint32Array(data.buffer, 4, 1)[0] = Number(integer(k, 'uint32_t'));
  return data;
}

function seccomp(runner, filter) {
  const program = Array.isArray(filter) ? Buffer.concat(filter.map(instruction)) : bytes(filter);
  if (program.length % 8) throw new RangeError('an instruction has 8 bytes');
  set(runner, 'set_seccomp', program.length ? program : null, program.length / 8);
}

function scheduler(runner, value) {
  const { policy, priority = 0 } = known(value, ['policy', 'priority']);
  set(runner, 'set_scheduler', policy, priority);
}

function cpuAffinity(runner, value) {
  const cpus = integers(value);
  set(runner, 'set_cpu_affinity', cpus.length ? cpus : null, cpus.length);
}

function signalNumber(value) {
  if (typeof value === 'string' && !(value in os.signals)) throw new RangeError(`there is no ${value}`);
  return os.signals[value] ?? value;
}

/** In the order in which they are set: keepCaps refines dropCaps. */
export const OPTIONS = {
  env,
  cwd: one('set_workdir'),
  input: (runner, value) => checked(lib.set_stdin_bytes(runner, ...memory(value))),
  allowDirectoryFiles: one('set_allow_directory_files'),
  wallLimit: one('set_wall_limit', nanoseconds),
  cpuLimit: one('set_cpu_limit', nanoseconds),
  memoryLimit: one('set_memory_limit', limit),
  processLimit: one('set_process_limit', limit),
  outputLimit: one('set_output_limit', limit),
  cpuQuota: one('set_cpu_quota', (value) => (value === Infinity ? 0xffffffff : value)),
  cgroupRoots: each('set_cgroup_root'),
  unshare: one('set_unshare_flags'),
  uidMappings: mappings('add_uid_mapping'),
  gidMappings: mappings('add_gid_mapping'),
  allowSetgroups: one('set_allow_setgroups'),
  pivotRoot: one('set_pivot_root'),
  rootWritable: one('set_root_writable'),
  root: (runner, pieces) => array(pieces).forEach((piece, i) => addPiece(runner, piece, i)),
  hostname: one('set_hostname'),
  domainname: one('set_domainname'),
  loopbackUp: one('set_loopback_up'),
  credential,
  noNewPrivs: one('set_no_new_privs'),
  dropCaps: one('set_drop_caps'),
  keepCaps: one('keep_caps'),
  seccomp,
  rlimits,
  umask: one('set_umask'),
  nice: one('set_nice'),
  oomScoreAdj: one('set_oom_score_adj'),
  cpuAffinity,
  scheduler,
  personality: one('set_personality'),
  session: one('set_session'),
  newSessionKeyring: one('set_new_session_keyring'),
  ctty: one('set_ctty'),
  deathSignal: one('set_death_signal', signalNumber),
  cgroupPaths: each('set_cgroup_path'),
  unshareCgroupAfterSync: one('set_unshare_cgroup_after_sync'),
  stopBeforeSeccomp: one('set_stop_before_seccomp'),
};

/** Sets the arguments and all options that are no open files. */
export function apply(runner, args, options) {
  if (args !== undefined) naming('args', () => checked(lib.set_args(runner, texts(args))));
  for (const [name, set] of Object.entries(OPTIONS)) {
    if (options[name] !== undefined) naming(name, () => set(runner, options[name]));
  }
}
