#include "print/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_MS 100
#define BAR_CELLS 20
#define LINE_BYTES 512

struct progress {
    char *title;
    int64_t total;
    int64_t started_ms;
    int64_t drawn_ms; /* 0: draw at the next update */
    int visible;      /* the line is on the terminal now */
};

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
is_capable_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

struct progress *
progress_start(const char *title, int64_t total)
{
    struct progress *progress;

    if (!is_capable_terminal())
        return NULL;
    progress = calloc(1, sizeof(*progress));
    if (progress == NULL)
        return NULL;
    progress->title = strdup(title);
    if (progress->title == NULL) {
        free(progress);
        return NULL;
    }
    progress->total = total > 0 ? total : 0;
    progress->started_ms = now_ms();
    return progress;
}

/* 999, 1.2k, 34.5M: short, of constant width, and right for bytes and for counts. */
static void
format_amount(double amount, char *out, size_t size)
{
    static const char units[] = " kMGTPE";
    size_t unit = 0;

    while (amount >= 999.5 && unit + 2 < sizeof(units)) {
        amount /= 1000;
        unit++;
    }
    if (unit == 0)
        snprintf(out, size, "%.0f", amount);
    else
        snprintf(out, size, "%.1f%c", amount, units[unit]);
}

static void
format_time_left(double seconds, char *out, size_t size)
{
    int64_t left = seconds < 360000 ? (int64_t)seconds : 360000;

    if (left >= 3600)
        snprintf(out, size, "%d h %02d min left", (int)(left / 3600), (int)(left / 60 % 60));
    else if (left >= 60)
        snprintf(out, size, "%d min %02d s left", (int)(left / 60), (int)(left % 60));
    else
        snprintf(out, size, "%d s left", (int)left);
}

static void
format_bar(double share, char out[BAR_CELLS + 1])
{
    for (int i = 0; i < BAR_CELLS; i++)
        out[i] = i < (int)(share * BAR_CELLS) ? '#' : '.';
    out[BAR_CELLS] = '\0';
}

static void
format_line(const struct progress *progress, int64_t done, const char *note, int64_t now, char *out,
            size_t size)
{
    double seconds = (double)(now - progress->started_ms) / 1000;
    double rate = seconds > 0.2 ? (double)done / seconds : 0;
    char amount[24], total[24], speed[24], left[40] = "", bar[BAR_CELLS + 1];

    format_amount((double)done, amount, sizeof(amount));
    format_amount(rate, speed, sizeof(speed));
    if (progress->total > 0) {
        double share = (double)done / (double)progress->total;

        share = share > 1 ? 1 : share;
        format_bar(share, bar);
        format_amount((double)progress->total, total, sizeof(total));
        if (rate > 0 && done < progress->total)
            format_time_left((double)(progress->total - done) / rate, left, sizeof(left));
        snprintf(out, size, "%s [%s] %3d%%  %s of %s  %s/s  %s  %s", progress->title, bar,
                 (int)(share * 100), amount, total, speed, left, note);
    } else {
        snprintf(out, size, "%s  %s  %s/s  %s", progress->title, amount, speed, note);
    }
}

static size_t
terminal_width(void)
{
    struct winsize window;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        return window.ws_col;
    return 80;
}

/* Cuts to `width` characters, not in the middle of one: every byte of UTF-8 but the followers
 * counts. */
static void
cut(char *line, size_t width)
{
    size_t cells = 0;

    for (char *p = line; *p != '\0'; p++) {
        if (((unsigned char)*p & 0xc0) == 0x80)
            continue;
        if (cells == width) {
            *p = '\0';
            return;
        }
        cells++;
    }
}

void
progress_update(struct progress *progress, int64_t done, const char *note)
{
    char line[LINE_BYTES];
    int64_t now;

    if (progress == NULL)
        return;
    now = now_ms();
    if (progress->drawn_ms != 0 && now - progress->drawn_ms < REDRAW_MS)
        return;
    format_line(progress, done, note != NULL ? note : "", now, line, sizeof(line));
    /* A full last column would make some terminals wrap. */
    cut(line, terminal_width() - 1);
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    progress->drawn_ms = now;
    progress->visible = 1;
}

void
progress_clear(struct progress *progress)
{
    if (progress == NULL || !progress->visible)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->visible = 0;
    progress->drawn_ms = 0;
}

void
progress_end(struct progress *progress)
{
    if (progress == NULL)
        return;
    progress_clear(progress);
    free(progress->title);
    free(progress);
}
