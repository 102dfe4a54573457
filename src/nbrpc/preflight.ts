/** What `netsteward check --host` can say of nbrpc without changing anything. */
import { formatDiagnostic } from '../core/diagnostic.ts';
import { errnoOf } from '../core/errors.ts';
import { describeFileFailure } from '../core/file-failure.ts';
import type { Finding } from '../core/module.ts';
import type { Files } from '../system/ports.ts';
import { agentFinding } from './agent-finding.ts';
import type { NbrpcConfig } from './config.ts';
import { readLists } from './lists.ts';
import type { NbrpcPreflightHost } from './ports.ts';
import { headerProblem } from './schema.ts';
import { sinkOf } from './sink-of.ts';

export async function preflight(config: NbrpcConfig, host: NbrpcPreflightHost): Promise<readonly Finding[]> {
  const findings = [...(await lists(config, host.files)), await state(config.state, host.files)];
  if (config.check.ca_file !== undefined) findings.push(await certificates(config.check.ca_file, host.files));
  if (config.agent !== undefined) {
    findings.push(agentFinding(config.agent, await host.lookAtAgent(config.agent, sinkOf(config)), host.version));
  }
  return findings;
}

async function lists(config: NbrpcConfig, files: Files): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const reading of await readLists(files, config.check_lists, new Map())) {
    switch (reading.kind) {
      case 'rejected':
        for (const problem of reading.problems) {
          const remedy = 'Mend it: a list with a mistake is not taken, and its last good version stays in force.';
          findings.push({ severity: 'error', text: formatDiagnostic(problem), remedy });
        }
        break;
      case 'version': {
        const count = reading.entries.size;
        findings.push({ severity: 'ok', text: `${reading.path}: ${count} host${count === 1 ? '' : 's'}` });
        for (const remark of reading.remarks) {
          findings.push({ severity: 'warning', text: formatDiagnostic(remark), remedy: 'Use https, http or dns.' });
        }
        break;
      }
      case 'missing':
      case 'unchanged':
        findings.push({
          severity: 'warning',
          text: `${reading.path} does not exist: an empty list`,
          remedy: 'Create the file, or take it out of nbrpc.check_lists.',
        });
    }
  }
  return findings;
}

// Offsets in the header of a database file: sqlite.org/fileformat2.html §1.3.
const headerSize = 100;
const versionAt = 60;
const applicationIdAt = 68;
/** Larger files are not read for their header alone. */
const largestState = 256 * 1024 * 1024;

async function state(path: string, files: Files): Promise<Finding> {
  const remedy = 'Name another state file in nbrpc.state, or mend the permissions of it and of its folder.';
  if (!(await files.writable(path))) {
    return { severity: 'error', text: `${path}: the state file cannot be written or made`, remedy };
  }
  try {
    const size = (await files.stat(path))?.size ?? 0;
    if (size === 0) return { severity: 'ok', text: `${path}: a new state file can be made` };
    if (size > largestState) return { severity: 'ok', text: `${path}: writable, its content was not looked at` };
    const bytes = await files.read(path);
    if (bytes.length < headerSize || !bytes.subarray(0, 16).equals(Buffer.from('SQLite format 3\0'))) {
      return { severity: 'error', text: `${path} is not an SQLite database`, remedy };
    }
    const [id, version] = [bytes.readUInt32BE(applicationIdAt), bytes.readUInt32BE(versionAt)];
    // A file that was just made has its header still in the log beside it.
    const problem = id === 0 && version === 0 ? undefined : headerProblem(id, version, path);
    if (problem !== undefined) return { severity: 'error', text: problem.message, remedy: problem.remedy ?? remedy };
    return { severity: 'ok', text: `${path}: the state file is in order` };
  } catch (error) {
    return { severity: 'error', text: `${path} cannot be read: ${describeFileFailure(error)}`, remedy };
  }
}

async function certificates(path: string, files: Files): Promise<Finding> {
  const remedy = 'Name a readable PEM file in nbrpc.check.ca_file.';
  try {
    const pem = (await files.read(path)).toString('latin1');
    const count = pem.split('-----BEGIN CERTIFICATE-----').length - 1;
    if (count === 0) return { severity: 'error', text: `${path} has no PEM certificate`, remedy };
    return { severity: 'ok', text: `${path}: ${count} certificate${count === 1 ? '' : 's'}` };
  } catch (error) {
    const reason = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${describeFileFailure(error)}`;
    return { severity: 'error', text: `${path} ${reason}`, remedy };
  }
}
