/** Errors of the lab: NetstewardError with a code that starts with `lab-`. */
import { NetstewardError } from '../core/errors.ts';

export type LabErrorCode =
  | 'lab-tool-missing'
  | 'lab-state-folder'
  | 'lab-running'
  | 'lab-not-running'
  | 'lab-start'
  | 'lab-namespaces'
  | 'lab-service'
  | 'lab-target'
  | 'lab-host'
  | 'lab-request';

export function labError(code: LabErrorCode, message: string, remedy?: string, cause?: unknown): NetstewardError {
  return new NetstewardError(code, message, { ...(remedy === undefined ? {} : { remedy }), cause });
}
