// The shared library, declared as declarations.json says, and the few functions of libc that Node lacks.
import { createRequire } from 'node:module';
import koffi from 'koffi';

const declarations = createRequire(import.meta.url)('./declarations.json');
export const { constants, version } = declarations;

export const structs = Object.fromEntries(Object.entries(declarations.structs).map(([name, fields]) => [
  name,
  koffi.struct(Object.fromEntries(fields.map(([type, field, length]) => [
    field, length ? koffi.array(type, length) : type,
  ]))),
]));

/** A struct for the library to fill. */
export const struct = (name) => ({ size: koffi.sizeof(structs[name]) });

const out = (type) => koffi.out(koffi.pointer(type));

// Where a C type is not koffi's own. Every other pointer is an address, or the memory of a Buffer.
const TYPES = {
  pid_t: 'int',
  'const char *': 'void *',
  'pid_t *': out('int'),
  'int *': out('int'),
  'size_t *': out('size_t'),
  'const void **': out('void *'),
  'runner_held_t **': out('void *'),
  ...Object.fromEntries(Object.entries(structs).map(([name, type]) => [
    `${name} *`, koffi.inout(koffi.pointer(type)),
  ])),
};

const koffiType = (type) => TYPES[type] ?? (type.includes('*') ? 'void *' : type);
const returned = (type) => (type === 'const char *' ? type : koffiType(type));

function declare(library) {
  const declared = declarations.functions.filter(({ params }) => !params.some(([type]) => type.includes('(*)')));
  return Object.fromEntries(declared.map(({ name, returns, params }) => [
    name.replace('runner_', ''),
    library.func(name, returned(returns), params.map(([type]) => koffiType(type))),
  ]));
}

function load(file) {
  let library;
  try {
    library = koffi.load(file);
  } catch (cause) {
    throw new Error(`${file}: install librunner, or name it in RUNNER_LIBRARY (${cause.message})`, { cause });
  }
  const found = library.func('runner_version', 'uint32_t', [])();
  const parts = [found >> 16, (found >> 8) & 0xff, found & 0xff];
  const minor = version.split('.').slice(0, 2).join('.');
  if (parts.slice(0, 2).join('.') !== minor) {
    throw new Error(`${file} is librunner ${parts.join('.')}, and this package is for ${minor}: `
      + 'install that one, or name it in RUNNER_LIBRARY');
  }
  return library;
}

const file = process.env.RUNNER_LIBRARY || 'librunner.so.0';
const library = load(file);
export const lib = declare(library);

/** The C types of a function's parameters. */
export const parameters = Object.fromEntries(declarations.functions.map(({ name, params }) => [
  name.replace('runner_', ''), params.map(([type]) => type),
]));

const program = koffi.load(null);
export const libc = {
  pipe2: program.func('pipe2', 'int', ['void *', 'int']),
  waitpid: program.func('waitpid', 'int', ['int', out('int'), 'int']),
  fcntl: program.func('fcntl', 'int', ['int', 'int', '...']),
  memcpy: program.func('memcpy', 'void *', ['void *', 'void *', 'size_t']),
  poll: program.func('poll', 'int', ['void *', 'ulong', 'int']),
};
export const errno = () => koffi.errno();

const hook = (name) => {
  const func = program.func(name, 'int', ['void *', 'void *', 'void *']);
  return (ending, handle) => func(koffi.node.env, library.symbol(`runner_${ending}`), handle);
};
/**
 * Has a handle ended by its C function when a worker thread is torn down, which runs no JavaScript any more; or no
 * longer, where it has ended.
 */
export const endWithThread = hook('napi_add_env_cleanup_hook');
export const hasEnded = hook('napi_remove_env_cleanup_hook');

const [RTLD_NOW, RTLD_NOLOAD, RTLD_NODELETE] = [2, 4, 0x1000];

// koffi unloads it at the end of the last thread that has it, where a held start may still have one of its own.
program.func('dlopen', 'void *', ['str', 'int'])(file, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
