// The pieces of a program's root.
import { Bind, Proc } from './constants.js';
import { checked, integer, known, memory, naming, object, set, text } from './convert.js';
import { lib } from './library.js';

const optional = (value) => (value === undefined || value === null ? null : text(value));

function mount(runner, { mount: target, source, fstype, flags = 0, data }) {
  checked(lib.add_mount(runner, optional(source), text(target), optional(fstype), integer(flags), optional(data)));
}

// Each kind is named by the key that says where the piece goes; bind is named by what goes there.
const PIECES = {
  bind: [['target', 'flags'], (runner, { bind, target = bind, flags = Bind.RO | Bind.REC }) =>
    set(runner, 'add_bind', bind, target, flags)],
  tmpfs: [['size', 'mode'], (runner, { tmpfs, size = 0, mode = 0o1777 }) =>
    set(runner, 'add_tmpfs', tmpfs, size, mode)],
  proc: [['flags'], (runner, { proc, flags = Proc.MASK }) => set(runner, 'add_proc', proc, flags)],
  dev: [[], (runner, { dev }) => set(runner, 'add_dev', dev)],
  dir: [['mode'], (runner, { dir, mode = 0o755 }) => set(runner, 'add_dir', dir, mode)],
  symlink: [['to'], (runner, { symlink, to }) => set(runner, 'add_symlink', to, symlink)],
  file: [['contents', 'mode'], (runner, { file, contents = '', mode = 0o644 }) =>
    set(runner, 'add_file', file, ...memory(contents), mode)],
  mount: [['source', 'fstype', 'flags', 'data'], mount],
};

export function addPiece(runner, piece, index) {
  naming(`[${index}]`, () => {
    const kinds = Object.keys(object(piece)).filter((key) => Object.hasOwn(PIECES, key));
    if (kinds.length !== 1) throw new TypeError(`one of ${Object.keys(PIECES).join(', ')} is wanted`);
    const [keys, add] = PIECES[kinds[0]];
    add(runner, known(piece, [kinds[0], ...keys]));
  });
}
