/** A file's text as a string; JSON with lone surrogates cannot be imported as a module. */
declare module '*?raw' {
  const text: string;
  export default text;
}

/** A file's bytes as a data URL. */
declare module '*?inline' {
  const url: string;
  export default url;
}
