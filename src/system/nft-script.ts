export type NftScript = string & { readonly __brand: 'nft' };
