/** Makes entries in the kernel's table of connections, as traffic would: for tests and benches, inside a namespace. */
import { addressBytes, familyOfAddress } from '../../src/system/linux/conntrack-messages.ts';
import { attribute, littleEndian } from '../../src/system/linux/netlink-attributes.ts';
import { NetlinkRequests } from '../../src/system/linux/netlink-requests.ts';

export interface Entry {
  readonly from: string;
  readonly to: string;
  readonly port: number;
}

const nested = 0x8000;

function tuple({ from, to, port }: Entry, reply: boolean): Buffer {
  const six = familyOfAddress(from) === 6;
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(value);
    return bytes;
  };
  const [source, destination] = reply ? [to, from] : [from, to];
  const [sourcePort, destinationPort] = reply ? [443, port] : [port, 443];
  return Buffer.concat([
    attribute(
      1 | nested,
      Buffer.concat([attribute(six ? 3 : 1, addressBytes(source)), attribute(six ? 4 : 2, addressBytes(destination))]),
    ),
    attribute(
      2 | nested,
      Buffer.concat([
        attribute(1, Buffer.from([6])),
        attribute(2, number(sourcePort)),
        attribute(3, number(destinationPort)),
      ]),
    ),
  ]);
}

/** IPCTNL_MSG_CT_NEW of established TCP connections, for ten minutes. */
export async function trackEntries(entries: readonly Entry[]): Promise<void> {
  await NetlinkRequests.load();
  const requests = NetlinkRequests.open();
  for (let at = 0; at < entries.length; at += 100) {
    requests.send(Buffer.concat(entries.slice(at, at + 100).map(creation)));
    const answers = requests.waiting();
    if (answers.length > 0) throw new Error(`errno ${-(answers[0]?.readInt32LE(16) ?? 0)}`);
  }
  requests.close();
}

function creation(entry: Entry): Buffer {
  const lifetime = Buffer.alloc(4);
  lifetime.writeUInt32BE(600);
  const body = Buffer.concat([
    attribute(1 | nested, tuple(entry, false)),
    attribute(2 | nested, tuple(entry, true)),
    attribute(7, lifetime),
    // CTA_PROTOINFO { CTA_PROTOINFO_TCP { CTA_PROTOINFO_TCP_STATE established } }
    attribute(4 | nested, attribute(1 | nested, attribute(1, Buffer.from([3])))),
  ]);
  const header = Buffer.alloc(20);
  const view = new DataView(header.buffer, header.byteOffset);
  view.setUint32(0, 20 + body.length, littleEndian);
  view.setUint16(4, 1 << 8, littleEndian);
  // NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL
  view.setUint16(6, 0x601, littleEndian);
  view.setUint8(16, familyOfAddress(entry.from) === 6 ? 10 : 2);
  return Buffer.concat([header, body]);
}
