// The library's numbers, in one object for each kind.
import { constants } from './library.js';

// Names that say more than the kernel's own.
const RENAMED = { CLONE_NEWNS: 'MOUNT' };

const kind = (prefix) => Object.freeze(Object.fromEntries(Object.entries(constants)
  .filter(([name]) => name.startsWith(prefix))
  .map(([name, number]) => [RENAMED[name] ?? name.slice(prefix.length), number])));

export const Namespace = kind('CLONE_NEW');
export const Bind = kind('RUNNER_BIND_');
export const Proc = kind('RUNNER_PROC_');
export const MountFlag = kind('MS_');
export const Rlimit = kind('RLIMIT_');
export const Session = kind('RUNNER_SESSION_');
export const Missing = kind('RUNNER_MISSING_');
export const Controller = kind('RUNNER_CONTROLLER_');
export const Stage = kind('RUNNER_STAGE_');
