// A slider over pictures that the page brings along (`facnet.study.plots.slider`), for the picture
// of the cell above.
document.addEventListener("DOMContentLoaded", () => {
  for (const held of document.querySelectorAll("script.slider")) {
    const { name, pictures } = JSON.parse(held.textContent);
    const picture = held.closest(".cell").previousElementSibling?.querySelector("img");
    if (!picture) continue;
    const first = { src: picture.src, alt: picture.alt };
    const slider = Object.assign(document.createElement("input"), {
      type: "range",
      min: 0,
      max: pictures.length - 1,
    });
    const said = document.createElement("output");
    const label = document.createElement("label");
    const row = Object.assign(document.createElement("div"), { className: "slider" });
    label.append(`${name} `, slider);
    row.append(label, said);
    held.after(row);
    said.setAttribute("aria-live", "off"); // the slider says it

    const say = (value) => {
      said.value = value;
      slider.setAttribute("aria-valuetext", value);
    };
    slider.value = pictures.findIndex(([, data]) => !data); // the picture that is there
    say(pictures[slider.value][0]);
    slider.addEventListener("input", () => {
      const [value, data] = pictures[slider.value];
      say(value);
      picture.src = data ? `data:image/png;base64,${data}` : first.src;
      picture.alt = `${first.alt}; ${name}: ${value}`;
      const link = picture.closest("a"); // to the first picture
      if (data) link?.removeAttribute("href");
      else link?.setAttribute("href", first.src);
    });
  }
});
