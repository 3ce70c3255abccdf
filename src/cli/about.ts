/** What is typed to run the command: in a clone, or where the package is installed. */
export const typed = import.meta.url.endsWith('.ts') ? 'npm run -s fovea --' : 'npx fovea'
