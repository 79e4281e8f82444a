/* libspare: installed, never loaded. */
int spare(void);
int spare(void) { return 42; }
