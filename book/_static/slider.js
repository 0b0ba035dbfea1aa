// A slider over pictures that the page brings along (`facnet.study.plots.slider`), for the picture
// of the cell above.
document.addEventListener("DOMContentLoaded", () => {
  for (const held of document.querySelectorAll("script.slider")) {
    const { name, start, pictures } = JSON.parse(held.textContent);
    const picture = held.closest(".cell").previousElementSibling.querySelector("img");
    const about = picture.alt;
    const slider = Object.assign(document.createElement("input"), {
      type: "range",
      min: 0,
      max: pictures.length - 1,
    });
    const said = document.createElement("output");
    const label = Object.assign(document.createElement("label"), { className: "slider" });
    label.append(`${name} `, slider, said);
    held.after(label);

    const say = (value) => {
      said.value = value;
      slider.setAttribute("aria-valuetext", value);
    };
    slider.value = pictures.findIndex(([value]) => value === start);
    say(start);
    slider.addEventListener("input", () => {
      const [value, data] = pictures[slider.value];
      say(value);
      picture.src = `data:image/png;base64,${data}`;
      picture.alt = `${about}; ${name}: ${value}`;
      picture.closest("a")?.removeAttribute("href"); // it leads to the first picture
    });
  }
});
