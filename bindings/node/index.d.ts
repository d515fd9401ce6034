import type { FileHandle } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';

/** The version of the library for which this package is made. */
export const version: string;

/** How many bytes of stdout and of stderr are captured where neither they nor `outputLimit` say otherwise: 16 MiB. */
export const DEFAULT_CAPTURE: number;

/** Text, as UTF-8, or bytes. */
export type Bytes = string | NodeJS.ArrayBufferView;

/** A whole number. A BigInt where it is above Number.MAX_SAFE_INTEGER. */
export type Integer = number | bigint;

/** Milliseconds, with a fraction if need be. */
export type Milliseconds = number | bigint;

/** An open file of this process: its descriptor or its FileHandle. It is borrowed until the start is over. */
export type HostFile = number | FileHandle;

/** /dev/null; the same descriptor of this process; nothing. */
export type FileWord = 'ignore' | 'inherit' | 'close';

/** Where the program's fd 0 comes from. A Readable is read to its end or the program's, and stays open. */
export type Input = FileWord | HostFile | Readable;

/** Keep what is written, at most so many bytes. More ends the run ('output_limit'). */
export interface Capture {
  capture: Integer;
}

/** Keep the first so many bytes of what is written, and drop the rest. */
export interface CaptureHead {
  captureHead: Integer;
}

/**
 * Where one of the program's other fds leads to. A Writable is ended when all that the program wrote is in it, unless
 * it is process.stdout or process.stderr.
 */
export type Output = FileWord | HostFile | Writable | Capture | CaptureHead;

/** A line of an id map: `count` ids from `inside` are `outside` and up. */
export type Mapping = [inside: number, outside: number, count: number];

/** A limit for both, or the soft one and the hard one. Infinity is none. */
export type ResourceLimit = Integer | [soft: Integer, hard: Integer];

/** Who the program runs as: exactly these ids and groups. */
export interface Credential {
  uid: number;
  gid: number;
  /** None by default. */
  groups?: number[];
}

/** An instruction of classic BPF. */
export type Instruction = [code: number, jt: number, jf: number, k: number];

/** A file or directory of the host. */
export interface BindPiece {
  /** What goes there. */
  bind: Bytes;
  /** Where, inside the root; the same path by default. */
  target?: Bytes;
  /** {@link Bind}, or'ed together: `Bind.RO | Bind.REC` by default; 0: writable, without what is mounted beneath. */
  flags?: number;
}

/** An empty writable directory, in memory. */
export interface TmpfsPiece {
  tmpfs: Bytes;
  /** Bytes at most; 0, the default: half of the memory. */
  size?: Integer;
  /** 0o1777 by default. */
  mode?: number;
}

/** The proc file system of the new pid namespace. */
export interface ProcPiece {
  proc: Bytes;
  /** {@link Proc}, or'ed together: `Proc.MASK` by default. */
  flags?: number;
}

/** A minimal /dev: null, zero, full, random, urandom, tty, fd, stdin, stdout, stderr, shm, pts. */
export interface DevPiece {
  dev: Bytes;
}

/** A directory. */
export interface DirPiece {
  dir: Bytes;
  /** 0o755 by default. */
  mode?: number;
}

/** A symbolic link. */
export interface SymlinkPiece {
  /** Where it is. */
  symlink: Bytes;
  /** Where it leads to. */
  to: Bytes;
}

/** A small file. */
export interface FilePiece {
  file: Bytes;
  /** Empty by default. */
  contents?: Bytes;
  /** 0o644 by default. */
  mode?: number;
}

/** Any mount, as mount(2) takes it. */
export interface MountPiece {
  /** Where, inside the root. */
  mount: Bytes;
  source?: Bytes | null;
  fstype?: Bytes | null;
  /** {@link MountFlag}, or'ed together. */
  flags?: Integer;
  data?: Bytes | null;
}

/** A piece of the program's root. Missing parts of its path are made. */
export type Piece =
  | BindPiece | TmpfsPiece | ProcPiece | DevPiece | DirPiece | SymlinkPiece | FilePiece | MountPiece;

/**
 * How to run a program. undefined and null are the same as leaving an option out. Times are milliseconds, sizes
 * bytes; `Infinity` as a limit is none. runner.h says more on each, beneath the setter of the same name.
 */
export interface Options {
  /** The whole environment; empty by default. */
  env?: Record<string, Bytes | undefined> | null;
  /** The file to execute, open, in the place of the path in `args[0]`. */
  execFile?: HostFile | null;
  /** The working directory, inside the new root. */
  cwd?: Bytes | null;

  /** What the program reads from fd 0; it is copied. */
  input?: Bytes | null;
  /** fd 0: /dev/null by default. */
  stdin?: Input | null;
  /** fd 1: captured by default, by run() and spawn(). */
  stdout?: Output | null;
  /** fd 2: as fd 1. */
  stderr?: Output | null;
  /** Any of the program's fds, by number. What is named nowhere is closed. */
  files?: Record<number, Output> | null;
  /** Allow a directory as fd 0, 1 or 2. */
  allowDirectoryFiles?: boolean | null;

  /** Milliseconds from exec to end; more is 'wall_limit'. */
  wallLimit?: Milliseconds | null;
  /** Milliseconds of CPU time of the whole tree; more is 'time_limit'. */
  cpuLimit?: Milliseconds | null;
  /** Bytes of memory of the whole tree; more is 'memory_limit'. */
  memoryLimit?: Integer | null;
  /** Processes and threads at once; beyond it fork fails. */
  processLimit?: Integer | null;
  /** Bytes written to all captures together, and to any one file; more is 'output_limit'. */
  outputLimit?: Integer | null;
  /** How much of a CPU, in percent. */
  cpuQuota?: number | null;
  /** Where the run's cgroups are made: one directory for v2, one for each hierarchy of v1. */
  cgroupRoots?: Bytes[] | null;

  /** {@link Namespace}, or'ed together: which namespaces are new. */
  unshare?: Integer | null;
  /** Lines of the user id map. */
  uidMappings?: Mapping[] | null;
  /** Lines of the group id map. */
  gidMappings?: Mapping[] | null;
  /** Whether setgroups(2) is allowed in the new user namespace. */
  allowSetgroups?: boolean | null;
  /** An existing directory of the host: covered by a new tmpfs, the pieces go into it, and it becomes the root. */
  pivotRoot?: Bytes | null;
  /** Leave that tmpfs writable. */
  rootWritable?: boolean | null;
  /** The pieces of the root, made in their order; an error's `index` is a place in this list. */
  root?: Piece[] | null;
  /** The host name (`Namespace.UTS`). */
  hostname?: Bytes | null;
  /** The NIS domain name (`Namespace.UTS`). */
  domainname?: Bytes | null;
  /** Bring `lo` up (`Namespace.NET`). */
  loopbackUp?: boolean | null;

  /** Who the program runs as. */
  credential?: Credential | null;
  /** An exec can gain no privileges. */
  noNewPrivs?: boolean | null;
  /** Drop every capability for good. */
  dropCaps?: boolean | null;
  /** Drop every capability but these (bit n: capability n). */
  keepCaps?: Integer | null;
  /** A classic BPF program: its instructions, or its bytes. */
  seccomp?: Instruction[] | NodeJS.ArrayBufferView | null;

  /** Resource limits, by the names of getrlimit(2) in lower case: `{ nofile: 64, core: 0 }`. */
  rlimits?: { [name in Lowercase<keyof typeof Rlimit>]?: ResourceLimit } | null;
  /** The file mode creation mask. */
  umask?: number | null;
  /** The nice value. */
  nice?: number | null;
  /** How willingly the OOM killer takes the program, -1000 to 1000. */
  oomScoreAdj?: number | null;
  /** The CPUs on which the program may run. */
  cpuAffinity?: number[] | null;
  /** The scheduling policy, by its number, and its priority. */
  scheduler?: { policy: number; priority?: number } | null;
  /** The execution domain (personality(2)). */
  personality?: Integer | null;

  /** One of {@link Session}; a new session by default. */
  session?: number | null;
  /** An empty session keyring of its own; otherwise it has this process's. */
  newSessionKeyring?: boolean | null;
  /** Make fd 0, a terminal, the controlling one. */
  ctty?: boolean | null;
  /** The signal that the program gets when this process dies. */
  deathSignal?: NodeJS.Signals | number | null;
  /** A cgroup v2 directory, open, in which the program is born. */
  cgroupFd?: HostFile | null;
  /** Cgroups by the paths of their directories. */
  cgroupPaths?: Bytes[] | null;
  /** Make the cgroup namespace last, after a hold. */
  unshareCgroupAfterSync?: boolean | null;
  /** Stop (SIGSTOP) before the filter is loaded; SIGCONT lets the program go on. */
  stopBeforeSeccomp?: boolean | null;
}

/** How a run ended. */
export type Verdict =
  | 'none' | 'finished' | 'signalled' | 'time_limit' | 'wall_limit' | 'memory_limit' | 'output_limit'
  | 'process_limit' | 'forbidden_syscall' | 'killed' | 'launch_error';

/** What decided a verdict. */
export type Evidence =
  | 'none' | 'exit code' | 'signal' | 'CPU time' | 'wall timer' | 'OOM killer' | 'memory figure' | 'capture'
  | 'file size' | 'pids events' | 'seccomp filter' | 'caller' | 'launch' | 'status lost';

/** Where a figure comes from. */
export type Source = 'none' | 'cgroup v2' | 'cgroup v1' | 'rusage' | 'sampled';

/** Where a start was when it failed. */
export type StageName =
  | 'none' | 'options' | 'memory' | 'thread' | 'clone' | 'id_map' | 'setgroups' | 'setgid' | 'setuid' | 'dup'
  | 'close' | 'setsid' | 'setpgid' | 'ctty' | 'mount' | 'mkdir' | 'file' | 'symlink' | 'pivot_root' | 'sethostname'
  | 'setdomainname' | 'chdir' | 'rlimit' | 'no_new_privs' | 'capabilities' | 'ptrace' | 'stop' | 'seccomp' | 'sync'
  | 'cgroup' | 'exec' | 'signals' | 'unshare' | 'loopback' | 'umask' | 'nice' | 'oom_score_adj' | 'affinity'
  | 'personality' | 'scheduler' | 'death_signal' | 'pidfd' | 'stdio' | 'watch' | 'keyring';

/** What a run has used. Times are milliseconds with their fraction, sizes bytes. */
export interface Usage {
  /** From the program's exec to its end as it was seen. */
  readonly wall: number;
  /** CPU time, of the whole tree where `cpuSource` is a cgroup: `user` and `system` together. */
  readonly cpu: number;
  readonly user: number;
  readonly system: number;
  /** From the call to the program's exec: cgroups, pipes, namespaces, root. */
  readonly setup: number;
  readonly cpuSource: Source;
  /** The most memory at once. */
  readonly memoryPeak: number;
  readonly memorySource: Source;
  /** How many processes the kernel's OOM killer took. */
  readonly oomKills: number;
  /** The most processes and threads at once. */
  readonly processesPeak: number;
  readonly processesSource: Source;
  /** How often a fork or a thread was refused because of the process limit. */
  readonly processLimitHits: number;
  /** Bytes kept, of all captured fds together. */
  readonly outputBytes: number;
  /** More was written to a captured fd than was to be kept. */
  readonly outputCut: boolean;
  /** The first such fd. */
  readonly outputFd: number | null;
  /** {@link Missing}, or'ed together: what limits and figures had to do without; 0 is the best. */
  readonly missing: number;
  /** The same in words. */
  readonly missingNames: string[];
  /** Why something is missing; empty where there is nothing to say. */
  readonly reason: string;
}

/** What became of a run. */
export interface Result extends Usage {
  readonly verdict: Verdict;
  readonly evidence: Evidence;
  /** The exit code of the first process, null where it has none. */
  readonly exitCode: number | null;
  /** The signal that ended the first process: 'SIGSEGV'. */
  readonly signal: string | null;
  /** What was written to each captured fd. */
  readonly output: Readonly<Record<number, Buffer>>;
  /** What was captured of fd 1. */
  readonly stdout: Buffer | undefined;
  /** What was captured of fd 2. */
  readonly stderr: Buffer | undefined;
  /** It finished by itself, with exit code 0. */
  readonly ok: boolean;
}

/** How a program ended that was only started. */
export interface ExitStatus {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** A start that failed. */
export class RunnerError extends Error {
  private constructor();
  /** What was being done: 'exec'. */
  readonly stage: StageName;
  /** The same as one of {@link Stage}. */
  readonly stageNumber: number;
  /** Which element of it, from 0; -1 where there is none. */
  readonly index: number;
  /** The errno, positive. */
  readonly errno: number;
  /** Its name: 'ENOENT'. */
  readonly code: string;
}

export interface RunOptions {
  /** Kills the run; what waits for it is rejected with the signal's reason when nothing of the run is left. */
  signal?: AbortSignal;
}

/**
 * A watched run. Its limits hold whether it is waited for or not. It keeps Node alive while it runs. Where nobody has
 * it or waits for it any more, it is killed; so it is when this thread exits.
 */
export interface Process {
  /** The first process's pid. When the run is over, it may be another's. */
  readonly pid: number;
  /** What became of the run, when nothing of it is left. Rejected where a stream has failed, or the signal came. */
  wait(): Promise<Result>;
  /** Kills the whole tree; wait() tells the end. */
  kill(): void;
  /** The figures so far. */
  usage(): Promise<Usage>;
  /** What the program has written to a captured fd so far. */
  output(fd: number): Promise<Buffer>;
  /** Kills the run if it is not over. Resolved when nothing of it is left; all else throws from now on. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A program that was only started, and is neither limited nor killed. It keeps Node alive while it runs. */
export interface Child {
  readonly pid: number;
  wait(): Promise<ExitStatus>;
  /** Sends a signal, SIGTERM by default; false where the program has ended. */
  kill(signal?: NodeJS.Signals | number): boolean;
}

/** A program that is complete and waits right before its exec. Where nobody has it any more, it is killed. */
export interface Held {
  readonly pid: number;
  /** Lets it execute. */
  resume(): Promise<Child>;
  /** Kills it; nothing where it has been resumed. */
  abort(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What to run, and how. It is copied here, checked, and can be run any number of times, also at once. */
export class Command {
  /**
   * @param args the path of the program, which is not searched for, and its arguments
   * @throws {TypeError} what is no such value
   * @throws {RangeError} what is out of range
   */
  constructor(args?: Bytes[], options?: Options);
  /** Starts it, watches it, waits for its end. */
  run(options?: RunOptions): Promise<Result>;
  /** Starts it and watches it. */
  spawn(options?: RunOptions): Promise<Process>;
  /** Only starts it. There may be no limits, no input, no captures and no streams. */
  start(): Promise<Child>;
  /** Starts it as start() does, up to the step before its exec. */
  hold(): Promise<Held>;
  /** The system calls that the start of a run would make, one a line. */
  explain(): string;
}

/** Runs a program to its end: `new Command(args, options).run({ signal })`. */
export function run(args: Bytes[], options?: Options & RunOptions): Promise<Result>;

/** What the machine offers to this process. */
export interface Probe {
  /** Major and minor version of the kernel. */
  readonly kernel: [major: number, minor: number];
  readonly clone3: boolean;
  /** A process can be born in its cgroup. */
  readonly intoCgroup: boolean;
  readonly pidfd: boolean;
  readonly closeRange: boolean;
  /** Read-only binds with everything beneath them. */
  readonly mountSetattr: boolean;
  readonly openat2: boolean;
  readonly timeNamespace: boolean;
  /** A user namespace can be made, and gives capabilities (tried). */
  readonly userNamespace: boolean;
  /** All namespaces but the user one can be made without one (tried). */
  readonly privilegedNamespaces: boolean;
  readonly seccomp: boolean;
  /** Landlock's ABI version, 0 where there is none. */
  readonly landlock: number;
  readonly cgroupV2: boolean;
  readonly cgroupV1: boolean;
  /** This process may make cgroups beneath its own v2 cgroup. */
  readonly cgroupV2Writable: boolean;
  /** {@link Controller}, or'ed together: v2 controllers that children of this process's cgroup can be given. */
  readonly controllersV2: number;
  /** v1 controllers with a mounted hierarchy. */
  readonly controllersV1: number;
  /** v1 controllers beneath whose current cgroup this process may make cgroups. */
  readonly controllersV1Writable: number;
  /** {@link Missing}, or'ed together: what watched runs would have to do without. */
  readonly runsMiss: number;
  /** Why something is missing and what to do, a sentence a line. */
  readonly blocker: string;
}

/** Finds out what the machine offers, by trying it where that is the only sure way. */
export function probe(): Promise<Probe>;

type Numbers<Names extends string> = { readonly [name in Names]: number };

/** Which namespaces are new (namespaces(7)). */
export const Namespace: Numbers<'TIME' | 'MOUNT' | 'CGROUP' | 'UTS' | 'IPC' | 'USER' | 'PID' | 'NET'>;

/** How a file or directory of the host is bound. */
export const Bind: Numbers<'RO' | 'REC' | 'OPTIONAL' | 'NOEXEC' | 'DEV' | 'SUID'>;

/** What the program sees of /proc. */
export const Proc: Numbers<'SUBSET' | 'HIDEPID' | 'MASK' | 'RO'>;

/** The flags of mount(2). */
export const MountFlag: Numbers<
  | 'RDONLY' | 'NOSUID' | 'NODEV' | 'NOEXEC' | 'SYNCHRONOUS' | 'REMOUNT' | 'MANDLOCK' | 'DIRSYNC' | 'NOSYMFOLLOW'
  | 'NOATIME' | 'NODIRATIME' | 'BIND' | 'MOVE' | 'REC' | 'SILENT' | 'UNBINDABLE' | 'PRIVATE' | 'SLAVE' | 'SHARED'
  | 'RELATIME' | 'STRICTATIME' | 'LAZYTIME'
>;

/** The resources of getrlimit(2). */
export const Rlimit: Numbers<
  | 'CPU' | 'FSIZE' | 'DATA' | 'STACK' | 'CORE' | 'RSS' | 'NPROC' | 'NOFILE' | 'MEMLOCK' | 'AS' | 'LOCKS'
  | 'SIGPENDING' | 'MSGQUEUE' | 'NICE' | 'RTPRIO' | 'RTTIME'
>;

/** The program's session and process group. */
export const Session: Numbers<'NEW' | 'GROUP' | 'KEEP'>;

/** What limits and figures had to do without. */
export const Missing: Numbers<'MEMORY' | 'PROCESSES' | 'CPU' | 'QUOTA' | 'TREE'>;

/** Cgroup controllers. */
export const Controller: Numbers<'CPU' | 'CPUACCT' | 'MEMORY' | 'PIDS' | 'CPUSET' | 'IO' | 'FREEZER'>;

/** Where a start was when it failed. */
export const Stage: Numbers<Uppercase<StageName>>;
