/**
 * Options said once. An option holds its kind, bounds and choices as plain data; a table of options gives the TypeScript
 * type, the check, the error, the JSON form, the command-line flag, a form's field (`JSON.stringify` of a table is all
 * that a form needs) and the words of the help text and the docs.
 */
export * from './makers.ts'
export * from './settle.ts'
