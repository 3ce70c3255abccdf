/**
 * npm run -s node -- bench/picture.ts result.json ... docs/training.svg: training speeds beside PyTorch's as bars, from what
 * `bench --peers --json` printed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Bench } from './report.ts'

const [width, left, bar, gap] = [720, 230, 16, 26]
const colors = { ours: '#d9642a', theirs: '#9aa5b1' }
const words: Readonly<Record<string, string>> = { float32: 'float32', mixed_bfloat16: 'bfloat16' }

const files = process.argv.slice(2)
const target = files[files.length - 1]
const rows = files
  .slice(0, -1)
  .flatMap((file) => (JSON.parse(readFileSync(file, 'utf8')) as Bench).comparisons)
  .filter(({ mode, peer }) => mode === 'train' && peer.name === 'pytorch')
const most = Math.max(...rows.flatMap(({ fovea, peer }) => [fovea.imagesPerSecond, peer.imagesPerSecond]))
const scale = (width - left - 150) / most

const number = (value: number): string => Math.round(value).toLocaleString('en-US')
const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x}" y="${y}" ${more}>${content}</text>`
const rectangle = (y: number, value: number, color: string): string =>
  `<rect x="${left}" y="${y}" width="${(value * scale).toFixed(1)}" height="${bar}" rx="2" fill="${color}"/>`

const top = 56
const lines = rows.flatMap(({ workload, precision, fovea, peer, ratio }, i) => {
  const y = top + i * (2 * bar + gap)
  return [
    text(left - 12, y + bar + 5, `${workload}, ${words[precision]}`, 'text-anchor="end"'),
    rectangle(y, fovea.imagesPerSecond, colors.ours),
    text(left + fovea.imagesPerSecond * scale + 8, y + 13, `${number(fovea.imagesPerSecond)} (${ratio.toFixed(2)} x)`),
    rectangle(y + bar + 2, peer.imagesPerSecond, colors.theirs),
    text(left + peer.imagesPerSecond * scale + 8, y + bar + 15, number(peer.imagesPerSecond)),
  ]
})
const height = top + rows.length * (2 * bar + gap)
const legend = [
  text(left, 24, 'Training, images a second, batch 128, two cores', 'font-weight="600"'),
  `<rect x="${left}" y="34" width="10" height="10" fill="${colors.ours}"/>`,
  text(left + 16, 43, 'Fovea, engine native'),
  `<rect x="${left + 180}" y="34" width="10" height="10" fill="${colors.theirs}"/>`,
  text(left + 196, 43, 'PyTorch in its fastest setting'),
]
writeFileSync(
  target,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#3c4650">
<title>Training speeds beside PyTorch's</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${[...legend, ...lines].join('\n')}
</svg>
`,
)
