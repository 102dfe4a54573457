/** What `netsteward check --host` says of dyndns: each zone file, whether it can be replaced, and room for packets. */
import { describeError } from '../core/errors.ts';
import type { Finding } from '../core/module.ts';
import type { ZoneFiles } from '../system/dyndns-ports.ts';
import type { Files } from '../system/ports.ts';
import type { DyndnsConfig } from './config.ts';
import { parseZone } from './zone-file.ts';
import { lintZone } from './zone-lint.ts';

export interface DyndnsPreflightHost {
  readonly zones: ZoneFiles;
  readonly files: Files;
}

export async function preflight(config: DyndnsConfig, host: DyndnsPreflightHost): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { file, records } of config.zone) {
    try {
      const zone = parseZone((await host.zones.read(file)).content, { optional: records });
      const errors = lintZone(zone).filter(({ severity }) => severity === 'error');
      const [first] = errors;
      if (first === undefined)
        findings.push({ severity: 'ok', text: `${file}: ${zone.blocks.length} block(s) with keys` });
      else {
        const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
        const remedy = `netsteward dyndns check ${file} tells all; lines 3 and 6 are fine for a tinydns with the IPv6 patch.`;
        findings.push({ severity: 'warning', text: `${file}:${first.line}: ${first.message}${more}`, remedy });
      }
    } catch (error) {
      findings.push({ severity: 'error', text: describeError(error) });
      continue;
    }
    if (await host.files.writable(file)) continue;
    const remedy = 'Give the file and its folder to the user that netsteward runs as.';
    findings.push({ severity: 'error', text: `${file} cannot be written`, remedy });
  }
  if (!(await host.files.writable(config.state))) {
    const remedy = 'Make its folder, writable for the user that netsteward runs as, or name another file.';
    findings.push({ severity: 'error', text: `${config.state} cannot be written`, remedy });
  }
  return [...findings, ...(await receiveBuffer(host.files))];
}

/** What the socket asks for; the kernel gives no more than this setting (socket(7)). */
const wantedBuffer = 4 * 1024 * 1024;
const setting = 'net.core.rmem_max';
/** 30 000 packets a second, each of which counts as 384 bytes (its memory in the kernel, struct sk_buff and all). */
const bytesPerMillisecond = 30 * 384;

async function receiveBuffer(files: Files): Promise<Finding[]> {
  let most: number;
  try {
    most = Number((await files.read(`/proc/sys/${setting.replaceAll('.', '/')}`)).toString('latin1').trim());
  } catch {
    // A container may not see it.
    return [];
  }
  if (!Number.isInteger(most) || most <= 0) return [];
  if (most >= wantedBuffer) return [{ severity: 'ok', text: `${setting} is ${most}` }];
  const held = Math.round(most / bytesPerMillisecond);
  return [
    {
      severity: 'warning',
      text: `${setting} is ${most}: the socket holds some ${held} ms of a flood of 30 000 packets a second`,
      remedy: `Set ${setting} = ${wantedBuffer} in /etc/sysctl.d; the socket unit's ReceiveBuffer= needs no such setting.`,
    },
  ];
}
