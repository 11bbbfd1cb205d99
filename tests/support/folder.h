/*
 * Folders: where the project is, and temporary ones.
 */
#ifndef TS_FOLDER_H
#define TS_FOLDER_H

/** A new empty folder, removed with all that is in it at exit. The caller frees the path. */
char *ts_tmpdir(void);

/** The path of a file of the project, such as ts_path("tests/cli/golden/%s.txt", name). The caller
 * frees it.
 */
char *ts_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The path of a new file of that content in a new temporary folder. The caller frees it. */
char *ts_file(const char *name, const char *content);

/** The formatted text, which the caller frees; fails the test when it runs out of memory. */
char *ts_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
