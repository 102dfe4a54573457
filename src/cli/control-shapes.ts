/** What the answers of the control socket must look like before anything of them is shown. */
import * as v from 'valibot';
import type { ReloadRecord, StatusReport } from '../supervisor/status-report.ts';
import { badAnswer, type ControlAnswer } from './control-client.ts';

const finite = v.pipe(v.number(), v.finite());
const texts = v.array(v.string());

const warning = v.object({
  code: v.string(),
  subject: v.string(),
  severity: v.picklist(['warning', 'error']),
  text: v.string(),
  remedy: v.string(),
  since: finite,
});

const reloadRecord = v.object({ at: finite, ok: v.boolean(), problems: texts });

// What modules say of themselves (`detail`) is theirs alone; the views look at it.
const health = v.object({
  ready: v.boolean(),
  summary: v.string(),
  warnings: v.array(warning),
  detail: v.optional(v.unknown()),
});

const statusReport = v.object({
  version: v.string(),
  pid: finite,
  config: v.string(),
  state: v.string(),
  ready: v.boolean(),
  startedAt: finite,
  now: finite,
  modules: v.array(
    v.object({
      name: v.string(),
      state: v.string(),
      since: finite,
      restarts: finite,
      lastError: v.optional(v.string()),
      health: v.optional(health),
    }),
  ),
  warnings: v.array(warning),
  lastReload: v.optional(reloadRecord),
});

/** Throws NetstewardError `control-failed`. */
export function statusOf(socket: string, { status, body }: ControlAnswer): StatusReport {
  if (status !== 200 || !v.is(statusReport, body)) throw badAnswer(socket, `its answer (${status}) is no status`);
  return body as StatusReport;
}

/** Throws NetstewardError `control-failed`. */
export function reloadRecordOf(socket: string, { status, body }: ControlAnswer): ReloadRecord {
  if (!v.is(reloadRecord, body) || status !== (body.ok ? 200 : 409)) {
    throw badAnswer(socket, `its answer (${status}) does not say how the reload ended`);
  }
  return body;
}
