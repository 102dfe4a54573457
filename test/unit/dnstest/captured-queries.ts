/** Queries of real programs, as they came over the wire: seeds for the fuzzer, and each an example that must be right. */

export interface CapturedQuery {
  readonly by: 'dig 9.18' | 'unbound 1.17';
  readonly what: string;
  readonly hex: string;
  readonly code: string;
}

export const capturedQueries: readonly CapturedQuery[] = [
  {
    by: 'dig 9.18',
    what: 'A',
    hex:
      '26a50120000100000000000101610474657374076578616d706c65000001000100002904d000000000000c000a' +
      '00084738c2f2a6d6635a',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'AAAA without EDNS',
    hex: '0a3d0120000100000000000001610474657374076578616d706c6500001c0001',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'SOA with DO',
    hex: 'f767012000010000000000010474657374076578616d706c65000006000100002904d0000080000000',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'ANY with a client subnet',
    hex:
      'a86d0120000100000000000101620474657374076578616d706c650000ff000100002904d00000000000170008' +
      '000700011800c00002000a0008d465d544af479ed0',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'NS with NSID and padding',
    hex:
      'c26e012000010000000000010474657374076578616d706c65000002000100002904d000000000005700030000' +
      '000a00085c84e6e0f94d5e45000c00430000000000000000000000000000000000000000000000000000000000' +
      '0000000000000000000000000000000000000000000000000000000000000000000000000000',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'EDNS version 1',
    hex:
      '0a270120000100000000000101610474657374076578616d706c65000001000100002904d000010000000c000a' +
      '0008e488634bbd25f995',
    code: 'BADVERS',
  },
  {
    by: 'dig 9.18',
    what: 'NOTIFY',
    hex:
      'b348212000010000000000010474657374076578616d706c65000006000100002904d000000000000c000a0008' + '02a795b53fd6c089',
    code: 'NOTIMP',
  },
  {
    by: 'dig 9.18',
    what: 'A of class CH',
    hex:
      '1152012000010000000000010776657273696f6e0462696e64000001000300002904d000000000000c000a0008' + '9a50911b292f62b1',
    code: 'REFUSED',
  },
  {
    by: 'dig 9.18',
    what: 'A of a name outside of the zone',
    hex: 'f7c20120000100000000000103545854000001000300002904d000000000000c000a00089a50911b292f62b1',
    code: 'REFUSED',
  },
  {
    by: 'dig 9.18',
    what: 'HTTPS in mixed case with keepalive',
    hex:
      'e3b200200001000000000001054d695865640454455354076578616d706c65000041000100002904d000000000' +
      '0010000a00080dc7624e24d4df0c000b0000',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'NS of the root',
    hex: 'd81601200001000000000001000002000100002904d000000000000c000a00089e50feecd5fe8b3b',
    code: 'REFUSED',
  },
  {
    by: 'dig 9.18',
    what: 'a header and an OPT record',
    hex: '35b60120000000000000000100002904d000000000000c000a0008f2b8af27ea893e04',
    code: 'FORMERR',
  },
  {
    by: 'dig 9.18',
    what: 'TXT with an EDNS size of 100',
    hex: 'c7e40120000100000000000101780474657374076578616d706c6500001000010000290064000000000000',
    code: 'NOERROR',
  },
  {
    by: 'dig 9.18',
    what: 'A with TSIG',
    hex:
      '34f30120000100000000000201740474657374076578616d706c65000001000100002904d000000000000c000a' +
      '00082debf799021e08f3016b0000fa00ff00000000003d0b686d61632d7368613235360000006b01ae8a012c00' +
      '2049d4743882b72f0d94193e9efb81cb514463170f953d512e22f577ede74bf13c34f300000000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'A, mixed case',
    hex: '1d7400100001000000000001034f4e650454457374076558616d706c45000001000100002904d0000080000000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'minimised to A, first step',
    hex: 'c31b0010000100000000000101630474657354074558416d706c65000001000100002904d0000080000000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'minimised, second step',
    hex: 'c60500100001000000000001014201430454457374074578614d706c45000001000100002904d0000080000000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'whole name after the steps',
    hex: 'b5e4001000010000000000010161016201630474655354076578416d506c45000001000100002904d000008000' + '0000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'AAAA three labels down',
    hex: 'c39f001000010000000000010161016201630454457354074558614d704c6500001c000100002904d000008000' + '0000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'NS of the apex',
    hex: '1ce2001000010000000000010474457354074578616d706c65000002000100002904d0000080000000',
    code: 'NOERROR',
  },
  {
    by: 'unbound 1.17',
    what: 'MX of the apex',
    hex: 'ba58001000010000000000010474457374074558614d704c4500000f000100002904d0000080000000',
    code: 'NOERROR',
  },
];
