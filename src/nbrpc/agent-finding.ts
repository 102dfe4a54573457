/** What `netsteward check --host` says of the agent that `nbrpc.agent` names (pure). */
import type { Finding } from '../core/module.ts';
import type { AgentLook } from '../system/agent-look.ts';

const restart = 'systemctl restart netsteward-nft.service: it runs what was installed before.';

/** `version`: of this program. */
export function agentFinding(path: string, look: AgentLook, version: string): Finding {
  switch (look.kind) {
    case 'silent': {
      const remedy =
        'systemctl status netsteward-nft.service; and run this as root, or as a user of the group netsteward.';
      // It may be on its way: a reload that needs nothing of it must not fail for that.
      return { severity: 'warning', text: `nft-agent does not answer: ${look.reason}`, remedy };
    }
    case 'refuses': {
      if (look.code === 'agent-message-invalid') {
        return {
          severity: 'warning',
          text: `nft-agent at ${path} is of another version than ${version}`,
          remedy: restart,
        };
      }
      const remedy =
        'Give its configuration, nft-agent.toml, the same table, sets, while_down and guard as [nbrpc] has.';
      return { severity: 'error', text: `nft-agent at ${path} would refuse: ${look.message}`, remedy };
    }
    case 'fits': {
      const of = look.version === version ? '' : ` (version ${look.version}, this is ${version})`;
      return { severity: 'ok', text: `nft-agent answers at ${path}${of}` };
    }
  }
}
