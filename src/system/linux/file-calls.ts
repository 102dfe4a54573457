/** Calls on files that Node has not: record locks, leases, extended attributes, exchange of two names; through koffi. */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { NetstewardError } from '../../core/errors.ts';

// asm-generic/fcntl.h, linux/fcntl.h, linux/fs.h, asm-generic/signal.h
const F_SETSIG = 10;
const F_OFD_SETLK = 37;
const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const lockTypes = { shared: 0, exclusive: 1, none: 2 } as const;
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const SIGURG = 23;
/** What one attribute holds at most (XATTR_SIZE_MAX, linux/limits.h), and a list of names (XATTR_LIST_MAX). */
const attributeBytes = 65_536;

export interface FileCalls {
  /**
   * A lock of the open file description (fcntl(2)), which excludes lockf() and fcntl() users of other processes. False: somebody
   * else has it. Goes with close().
   */
  lock(fd: number, type: 'shared' | 'exclusive'): boolean;
  /**
   * A read lease: `busy` when somebody has the file open for writing, `unknown` where the file system or the rights allow none.
   * Whoever opens it for writing afterwards waits until close(). `fd` must be open for reading only.
   */
  lease(fd: number): 'held' | 'busy' | 'unknown';
  /** Whether a lease that was held is still undisturbed. */
  leaseHolds(fd: number): boolean;
  /** Every extended attribute, access lists included (they are `system.posix_acl_access`, acl(5)). */
  attributes(fd: number): ReadonlyMap<string, Buffer>;
  /** Throws a Node-like system error. */
  setAttribute(fd: number, name: string, value: Buffer): void;
  /** renameat2(2): both names change places in one step. False where the file system or the C library cannot. */
  exchange(one: string, other: string): boolean;
}

let loaded: FileCalls | undefined;

/** Throws NetstewardError `native-calls-missing`. */
export function fileCalls(): FileCalls {
  loaded ??= load();
  return loaded;
}

function load(): FileCalls {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    const fcntl = libc.func('int fcntl(int fd, int command, ...)');
    const list = libc.func('long flistxattr(int fd, _Out_ uint8_t *names, size_t size)');
    const get = libc.func('long fgetxattr(int fd, const char *name, _Out_ uint8_t *value, size_t size)');
    const set = libc.func('int fsetxattr(int fd, const char *name, const uint8_t *value, size_t size, int flags)');
    const exchange = optional(() =>
      libc.func('int renameat2(int from, const char *one, int to, const char *other, unsigned int flags)'),
    );
    const failure = (call: string): NodeJS.ErrnoException => systemError(call, koffi.errno());
    const code = (): string => systemError('', koffi.errno()).code ?? '';
    return {
      lock(fd, type) {
        if (fcntl(fd, F_OFD_SETLK, 'void *', flock(lockTypes[type])) === 0) return true;
        if (code() === 'EAGAIN' || code() === 'EACCES') return false;
        throw failure('fcntl');
      },
      lease(fd) {
        // Its break tells by a signal, by default SIGIO, which ends a process; SIGURG is ignored by one that asks nothing else.
        fcntl(fd, F_SETSIG, 'int', SIGURG);
        if (fcntl(fd, F_SETLEASE, 'int', lockTypes.shared) === 0) return 'held';
        return code() === 'EAGAIN' ? 'busy' : 'unknown';
      },
      leaseHolds: (fd) => fcntl(fd, F_GETLEASE, 'int', 0) === lockTypes.shared,
      attributes(fd) {
        const names = Buffer.alloc(attributeBytes);
        const length = Number(list(fd, names, names.length));
        if (length < 0) {
          if (code() === 'EOPNOTSUPP' || code() === 'ENOTSUP') return new Map();
          throw failure('flistxattr');
        }
        const found = new Map<string, Buffer>();
        const value = Buffer.alloc(attributeBytes);
        for (const name of names.toString('latin1', 0, length).split('\0').filter(Boolean)) {
          const size = Number(get(fd, name, value, value.length));
          if (size >= 0) found.set(name, Buffer.from(value.subarray(0, size)));
        }
        return found;
      },
      setAttribute(fd, name, value) {
        if (set(fd, name, value, value.length, 0) !== 0) throw failure(`fsetxattr ${name}`);
      },
      exchange(one, other) {
        if (exchange === undefined) return false;
        if (exchange(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) === 0) return true;
        if (['EINVAL', 'ENOSYS', 'EPERM'].includes(code())) return false;
        throw failure('renameat2');
      },
    };
  } catch (error) {
    throw new NetstewardError('native-calls-missing', 'the C library cannot be called, which locks on files need', {
      remedy: 'Reinstall netsteward with its optional packages for this platform (koffi).',
      cause: error,
    });
  }
}

function optional<Made>(make: () => Made): Made | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** struct flock of 64-bit Linux: short type, short whence, 4 bytes of padding, start, length (0: all), pid (0, as OFD locks demand). */
function flock(type: number): Buffer {
  const bytes = Buffer.alloc(32);
  new Int16Array(bytes.buffer, bytes.byteOffset, 1)[0] = type;
  return bytes;
}

function systemError(call: string, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: ${call}`), { code, errno: -errno, syscall: call });
}
