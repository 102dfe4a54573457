/** Why a file could not be read or written, in words, and what the reader can do about it: Node's own texts say neither. */
import { errnoOf } from './errors.ts';

export interface FileFailure {
  /** What is wrong, to stand behind "cannot be read: ". */
  readonly reason: string;
  /** One imperative sentence without its full stop. */
  readonly remedy: string;
}

// Meanings as in errno(3) and the ERRORS of open(2), stat(2), write(2) and rename(2).
const failures: Readonly<Record<string, FileFailure>> = {
  ENOENT: { reason: 'there is no such file or folder', remedy: 'make it, or mend the path' },
  ENOTDIR: { reason: 'a part of its path is a file, not a folder', remedy: 'mend the path' },
  EISDIR: { reason: 'it is a folder, not a file', remedy: 'name a file' },
  ELOOP: { reason: 'its symbolic links lead in a circle', remedy: 'name the file itself, or mend the links' },
  ENAMETOOLONG: { reason: 'its name is too long', remedy: 'name it shorter' },
  EACCES: { reason: 'permission denied', remedy: 'give this user the right to the file and to its folders' },
  EPERM: { reason: 'not permitted', remedy: 'see whether the file is immutable (lsattr) or the unit forbids it' },
  EROFS: { reason: 'the file system is read-only', remedy: 'mount it writable, or name a file elsewhere' },
  ENOSPC: { reason: 'the disk is full', remedy: 'free space' },
  EDQUOT: { reason: 'the disk quota is used up', remedy: 'free space, or raise the quota' },
  EIO: { reason: 'the disk reports an error', remedy: 'see dmesg' },
  EMFILE: { reason: 'this process has too many open files', remedy: 'raise LimitNOFILE' },
  ENFILE: { reason: 'the machine has too many open files', remedy: 'raise fs.file-max' },
  'file-not-regular': { reason: 'it is a folder, a FIFO or a device, not a file', remedy: 'name a file' },
};

/** Undefined for an error that says nothing known of a file. */
export function fileFailure(error: unknown): FileFailure | undefined {
  return failures[errnoOf(error) ?? ''];
}

/** `EACCES, permission denied: give this user …`; the code is what one searches for. Other errors: their message. */
export function describeFileFailure(error: unknown): string {
  const known = fileFailure(error);
  if (known === undefined) return error instanceof Error ? error.message : String(error);
  const code = errnoOf(error) ?? '';
  return `${/^E[A-Z]+$/.test(code) ? `${code}, ` : ''}${known.reason}: ${known.remedy}`;
}
