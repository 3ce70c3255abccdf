// node native/asan.mjs <arguments of node>: runs them with AddressSanitizer under the addon that build.mjs --asan made.
import { spawn } from 'node:child_process'
import { addonPath } from './build.mjs'
import { compiler, run } from './toolchain.mjs'

const { out } = await run(compiler, ['-print-file-name=libasan.so'])
const env = {
  ...process.env,
  FOVEA_NATIVE_ADDON: addonPath('asan'),
  LD_PRELOAD: out.trim(), // node itself knows nothing of it, and it has to be the first
  // V8 frees nothing at its end; asking for too much is an error, as without the sanitizer
  // what was freed is kept for a while to be watched: not so much that tests of memory notice
  ASAN_OPTIONS: `detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16:${process.env.ASAN_OPTIONS ?? ''}`,
  UBSAN_OPTIONS: `print_stacktrace=1:${process.env.UBSAN_OPTIONS ?? ''}`,
}
spawn(process.execPath, process.argv.slice(2), { env, stdio: 'inherit' }).on('close', (code) => {
  process.exitCode = code ?? 1
})
