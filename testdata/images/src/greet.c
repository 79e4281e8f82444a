/* libgreet: the library that serve links with in the apk and rpm fixtures. */
const char *greeting(void);
const char *greeting(void) { return "hello from a library\n"; }
