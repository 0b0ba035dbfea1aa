// What the theme leaves out for those who read without a mouse or without seeing the page.
document.addEventListener("DOMContentLoaded", () => {
  // A table that scrolls takes the focus, so that arrow keys move it. The theme does it for code.
  const tables = ".bd-article table, .pst-scrollable-table-container";
  const reach = () => {
    for (const table of document.querySelectorAll(tables)) {
      if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
    }
  };
  reach();
  window.addEventListener("resize", reach);
  // The bibliography is marked as a list, but its entries are not.
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
});
