/** A file's text as a string; JSON with lone surrogates cannot be imported as a module. */
declare module '*?raw' {
  const text: string;
  export default text;
}
