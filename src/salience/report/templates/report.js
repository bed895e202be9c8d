(function () {
  "use strict";
  document.documentElement.classList.add("js");
  var table = document.getElementById("ranks");
  if (!table) return;
  var body = table.tBodies[0], rows = Array.prototype.slice.call(body.rows), first = +table.dataset.first;
  var filter = document.getElementById("filter"), matches = document.getElementById("matches"), all = document.getElementById("all");

  // While a filter is on, every match is shown; without one, the first rows of the current order.
  function show() {
    var words = filter.value.toLowerCase().split(/\s+/).filter(Boolean), found = 0;
    rows.forEach(function (row, i) {
      var text = (row.cells[1].textContent + " " + row.lastElementChild.textContent).toLowerCase();
      var hit = words.every(function (word) { return text.indexOf(word) >= 0; });
      found += hit;
      row.classList.toggle("hide", !hit);
      row.classList.toggle("more", !words.length && i >= first);
    });
    matches.textContent = words.length ? found + " of " + rows.length : "";
  }
  filter.addEventListener("input", show);

  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
    if (!head.dataset.sort) return;
    head.tabIndex = 0;
    function sort() {
      var down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : head.dataset.sort === "num" && column > 0;
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var number = head.dataset.sort === "num";
      function value(row) { var cell = row.cells[column]; return number ? cell.dataset.v : cell.textContent.trim().toLowerCase(); }
      rows.sort(function (a, b) {
        var x = value(a), y = value(b);
        if (x === "" || y === "") return (x === "") - (y === "");
        var order = number ? x - y : x < y ? -1 : x > y ? 1 : 0;
        return down ? -order : order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
      show();
    }
    head.addEventListener("click", sort);
    head.addEventListener("keydown", function (event) { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });

  if (all) all.addEventListener("click", function () { table.classList.add("all"); all.parentNode.remove(); });
})();
