/** The native addon: what it offers, or why it is not here. */
import { loadAddon } from '#platform'

/** What the addon says of itself and of the machine. */
export interface AddonInfo {
  /** The version of oneDNN that was found: `2.6.3`. */
  readonly onednn: string
  /** The instruction sets that its kernels use here: `AVX2`, `AVX-512`, `AVX-512, AMX`. */
  readonly isa: string
  /** What compiled it: `g++ 12.2.0`. */
  readonly compiler: string
  /** The threads that OpenMP takes when nobody says how many. */
  readonly threads: number
}

export interface Addon {
  info(): AddonInfo
}

/** The addon, or why it cannot be had here. Looked for once in a process. */
export function nativeAddon(): { readonly addon: Addon } | { readonly missing: string } {
  const loaded = loadAddon()
  return 'addon' in loaded ? { addon: loaded.addon as Addon } : loaded // the border to C++
}
