#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "plot.hpp"

// One self-contained HTML page: headings, paragraphs, tables, charts, text samples. Light and dark.

namespace hrm::examples {

class page {
public:
    explicit page(std::string title) : title_(std::move(title)) {}

    void heading(const std::string& text) { body_ += "<h2>" + escape(text) + "</h2>\n"; }
    void paragraph(const std::string& text) { body_ += "<p>" + escape(text) + "</p>\n"; }
    void preformatted(const std::string& text) { body_ += "<pre>" + escape(text) + "</pre>\n"; }
    /// The first row is the head; best marks a row (counted without the head) to stand out, -1 none.
    void table(const std::vector<std::vector<std::string>>& rows, int best = -1) {
        body_ += "<div class=\"scroll\"><table>";
        for (std::size_t i = 0; i < rows.size(); ++i) {
            body_ += static_cast<int>(i) == best + 1 && i > 0 ? "<tr class=\"best\">" : "<tr>";
            for (const auto& cell : rows[i]) body_ += (i ? "<td>" : "<th>") + escape(cell) + (i ? "</td>" : "</th>");
            body_ += "</tr>";
        }
        body_ += "</table></div>\n";
    }
    /// Names and what is known of them, without a head.
    void facts(const std::vector<std::pair<std::string, std::string>>& rows) {
        body_ += "<table class=\"facts\">";
        for (const auto& [name, value] : rows) body_ += "<tr><th>" + escape(name) + "</th><td>" + escape(value) + "</td></tr>";
        body_ += "</table>\n";
    }
    struct bar {
        std::string label;
        double value, goal;  ///< goal 0: none
    };
    /// One under the other from 0 to `end`, cut off there, with a line at `mark` and a tick at each goal.
    void bars(const std::vector<bar>& rows, double mark, double end) {
        const auto percent = [end](double x) { return print("%.2f%%", 100 * std::min(1.0, x / end)); };
        body_ += "<div class=\"bars\">";
        for (const auto& r : rows) {
            body_ += "<span>" + escape(r.label) + "</span><div><i class=\"" + (r.value <= mark ? "under" : "over") + "\" style=\"width:" +
                     percent(r.value) + "\"></i><b style=\"left:" + percent(mark) + "\"></b>";
            if (r.goal > 0) body_ += "<u style=\"left:" + percent(r.goal) + "\"></u>";
            body_ += "</div><span>" + print("%.2f", r.value) + "</span>";
        }
        body_ += "</div>\n";
    }
    /// Charts side by side where there is room.
    void charts(const std::vector<chart>& list) {
        body_ += "<div class=\"charts\">";
        for (const auto& c : list) body_ += "<figure>" + svg(c) + "</figure>";
        body_ += "</div>\n";
    }
    void sample(const std::string& label, const std::string& prompt, const std::string& text) {
        body_ += "<h3>" + escape(label) + "</h3><pre><b>" + escape(prompt) + "</b>" + escape(text) + "</pre>\n";
    }

    std::string text() const {
        return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>" +
               escape(title_) + "</title><style>" + style() + "</style></head><body><main><h1>" + escape(title_) + "</h1>\n" + body_ +
               "</main></body></html>\n";
    }

private:
    static std::string style() {
        return ":root{color-scheme:light dark;--ink:#1c1c1e;--dim:#666;--line:#ddd;--paper:#fff;--best:#e8f4ec;--pre:#f6f6f4}"
               "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--dim:#a0a0a0;--line:#3a3a3c;--paper:#1b1b1d;--best:#1f3a2b;--pre:#242426}}"
               "body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,sans-serif}"
               "main{max-width:1080px;margin:0 auto;padding:24px}h1{font-size:26px}h2{font-size:19px;margin-top:36px;border-bottom:1px solid var(--line)}"
               "h3{font-size:15px;margin-bottom:4px}p{max-width:76ch}.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}"
               "th,td{padding:5px 12px 5px 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--dim);font-weight:600;vertical-align:bottom;white-space:normal}"
               ".facts{margin-bottom:20px}.facts td{text-align:left;white-space:normal}.facts th{white-space:nowrap;padding-right:24px;vertical-align:top}"
               "th:first-child,td:first-child{text-align:left}.best{background:var(--best);font-weight:600}"
               ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr));gap:18px}figure{margin:0}"
               ".bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:3px 12px;align-items:center;font-size:13px;font-variant-numeric:tabular-nums}"
               ".bars div{position:relative;height:12px;background:var(--pre)}.bars div>*{position:absolute;top:0;bottom:0}.bars i{left:0}"
               ".under{background:#2a9d6f}.over{background:#d9822b}.bars b{width:1px;background:var(--ink)}.bars u{width:0;border-left:2px dotted var(--dim)}"
               "svg{width:100%;height:auto;font:12px system-ui,sans-serif;fill:var(--ink)}svg .t{font-weight:600;font-size:14px}svg .l{fill:var(--dim)}"
               "svg .g{stroke:var(--line)}svg .f{fill:none;stroke:var(--dim);stroke-width:.7}"
               "pre{background:var(--pre);padding:10px 12px;overflow-x:auto;font:12.5px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}";
    }
    std::string title_, body_;
};

}  // namespace hrm::examples
